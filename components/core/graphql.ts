import { type Fault, fromFault, ScripError } from "./errors.ts";
import type { Tokens } from "./tokens.ts";

export interface Answer {
  data?: Record<string, unknown> | null;
  errors?: Fault[];
}

export interface Question {
  query: string;
  variables: Record<string, unknown>;
}

const ANSWER_MS_MAX = 15_000;

/**
 * One GraphQL request. The token is its only credential: cookies stay at home. A refused token is
 * replaced once; when the new one is refused too, that is an error to show.
 */
export async function request(
  endpoint: string,
  tokens: Tokens,
  question: Question,
  token = tokens.get(),
  isRepeated = false,
): Promise<Answer> {
  // What is at hand is not waited for: then this has been sent when it returns.
  if (typeof token !== "string") token = await token;
  const response = await fetch(`${endpoint}/graphql`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${token}` },
    body: JSON.stringify(question),
    credentials: "omit",
    signal: AbortSignal.timeout(ANSWER_MS_MAX),
  }).catch((error) => {
    throw new ScripError("NETWORK", `${endpoint}: ${error.message}`);
  });
  const { status } = response;
  const answer: Answer = await response.json().catch(() => ({}));
  const { data, errors = [] } = answer;
  if (status === 401 || errors[0]?.extensions?.code === "UNAUTHENTICATED") {
    if (!isRepeated) return request(endpoint, tokens, question, tokens.get(token), true);
    throw new ScripError("UNAUTHENTICATED", "token refused");
  }
  if (data) return answer;
  throw fromFault(errors[0] ?? { message: `${endpoint} answered ${status}` });
}
