import { latin1 } from "./pairs.ts";
import { readMessage } from "./proto-message.ts";

/**
 * The cluster a module means: from an encoded `envoy.config.core.v3.GrpcService`, else the bytes are its name.
 * Undefined: a message without one.
 */
export function grpcCluster(target: Uint8Array): { readonly name: string; readonly isMessage: boolean } | undefined {
  const service = readMessage(target);
  if (!service) return { name: latin1(target), isMessage: false };
  const envoyGrpc = service.get(1);
  const cluster = envoyGrpc instanceof Uint8Array ? readMessage(envoyGrpc)?.get(1) : undefined;
  return cluster instanceof Uint8Array && cluster.length > 0 ? { name: latin1(cluster), isMessage: true } : undefined;
}
