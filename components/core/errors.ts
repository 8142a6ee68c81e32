/**
 * What went wrong, as `scrip-error` tells it: a code for programs, a message for developers.
 * What a person reads is in the messages of their language instead.
 *
 * CONFIG           an attribute or the provider is missing
 * TOKEN            the host's token source failed
 * UNAUTHENTICATED  a fresh token was refused too
 * NETWORK          the server can't be reached
 * SERVER           it answered with a failure
 * PROTOCOL         it closed the socket for a fault of ours: no retry would help
 * others           `extensions.code` of the GraphQL error: FORBIDDEN, NOT_FOUND …
 */
export class ScripError extends Error {
  readonly code: string;
  readonly retryable: boolean;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
    this.retryable = !/^(CONFIG|FORBIDDEN|NOT_FOUND|PROTOCOL|BAD_)/.test(code);
  }
}

/** An error as GraphQL writes it. */
export interface Fault {
  message: string;
  path?: (string | number)[];
  extensions?: { code?: string };
}

export const fromFault = (fault: Fault | undefined): ScripError =>
  new ScripError(fault?.extensions?.code ?? "SERVER", fault?.message ?? "no data");
