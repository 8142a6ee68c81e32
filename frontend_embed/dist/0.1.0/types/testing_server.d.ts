/** Types of the Scrip embed's testing_server.js. Written by the build: don't edit. */
import { type IncomingMessage, type ServerResponse } from "node:http";
import type { FakeScrip } from "./testing.js";
export interface ServeOptions {
    /** A free one when left out. */
    port?: number;
    /** Answers what the fake does not: true when it has. */
    otherwise?: (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;
}
export interface Served {
    /** Where it answers, without a slash at its end. */
    origin: string;
    close(): Promise<void>;
}
export declare function serveFakeScrip(fake: FakeScrip, options?: ServeOptions): Promise<Served>;
