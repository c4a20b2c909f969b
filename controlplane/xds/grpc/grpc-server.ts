// The gRPC server of all methods of xDS. It has no port of its own: connections are given to it.
import { Server, type ServerCredentials, type UntypedHandleCall } from "@grpc/grpc-js";
import type { XdsLimits } from "../server-options.ts";
import type { StreamKind } from "../state-machine/stream-events.ts";
import type { Call } from "./outbox.ts";
import type { Injector } from "./ports.ts";
import { discoveryMethods, serviceDefinition } from "./services.ts";
import { withoutCopies } from "./uncopied-calls.ts";

const MAX_REQUEST_BYTES = 16 * 1024 * 1024;

/** A server that hands each call to `handle`. */
export function createGrpcServer(
  limits: XdsLimits,
  credentials: ServerCredentials,
  handle: (call: Call, kind: StreamKind) => void,
): Injector {
  const server = new Server({
    "grpc.keepalive_time_ms": limits.keepaliveMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
    "grpc.max_connection_age_ms": limits.maxConnectionAgeMs,
    "grpc.max_connection_age_grace_ms": limits.maxConnectionAgeGraceMs,
    "grpc.max_receive_message_length": MAX_REQUEST_BYTES,
    "grpc.enable_channelz": 0,
    interceptors: [withoutCopies],
  });
  const handlers = discoveryMethods.map(
    ({ name, stream }) => [name, ((call: Call) => handle(call, stream)) as unknown as UntypedHandleCall] as const,
  );
  server.addService(serviceDefinition(), Object.fromEntries(handlers));
  const injector = server.createConnectionInjector(credentials);
  return {
    inject: (socket) => injector.injectConnection(socket),
    shutdown() {
      server.forceShutdown();
      injector.destroy();
    },
  };
}
