import type { MethodDefinition } from "@grpc/grpc-js";

/** The echo service's methods; its messages are JSON. */
export const echo: Readonly<Record<"unary" | "broken" | "chat", MethodDefinition<unknown, unknown>>>;
