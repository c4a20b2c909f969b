// The sockets that proxies connect to. TLS ends here and not in grpc-js, which knows neither a minimum version nor a
// change of certificate.
import { type AddressInfo, createServer as createTcpServer, isIP, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { ServerCredentials } from "@grpc/grpc-js";
import { listen } from "../../listen/listen.ts";
import { ScrimError } from "../../model/failure.ts";
import type { ListenAddress } from "../../model/socket-address.ts";

/** PEM texts of the server's certificate chain and key. */
export interface ServerCertificate {
  readonly certificate: string;
  readonly key: string;
}

export interface SecurePort extends PlaintextPort {
  readonly certificate: ServerCertificate;
}

export interface PlaintextPort extends Pick<ListenAddress, "port" | "option"> {
  readonly host: string;
}

export interface Port {
  readonly address: () => { readonly host: string; readonly port: number };
  /** Rejects with `port-unavailable` when it cannot be had. */
  listen(): Promise<void>;
  /** Closes the listener and every connection. */
  close(): Promise<void>;
}

/** What becomes of a connection. */
export interface Injector {
  inject(socket: Socket): void;
  shutdown(): void;
}

type CreateInjector = (credentials: ServerCredentials) => Injector;

/** A port for TLS 1.3, not listening yet. */
export function openSecurePort(
  { certificate, ...where }: SecurePort,
  createInjector: CreateInjector,
): Port & { setCertificate(certificate: ServerCertificate): void } {
  const server = createTlsServer({
    cert: certificate.certificate,
    key: certificate.key,
    minVersion: "TLSv1.3",
    ALPNProtocols: ["h2"],
    handshakeTimeout: 10_000,
  });
  const open = openPort(server, "secureConnection", where, createInjector);
  return {
    ...open,
    setCertificate: ({ certificate: cert, key }) => server.setSecureContext({ cert, key, minVersion: "TLSv1.3" }),
  };
}

/** A port without TLS, not listening yet. Throws `not-loopback` for an address that other machines could reach. */
export function openPlaintextPort(where: PlaintextPort, createInjector: CreateInjector): Port {
  const { host } = where;
  const isLoopback = host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
  if (!isLoopback) throw new ScrimError("not-loopback", `plaintext xDS is for loopback only, and ${host} is not`);
  return openPort(createTcpServer(), "connection", where, createInjector);
}

function openPort(
  server: Server,
  event: "connection" | "secureConnection",
  { host, port, option }: PlaintextPort,
  createInjector: CreateInjector,
): Port {
  // Whatever protected the connection, grpc-js is handed a socket that it need not protect.
  const injector = createInjector(ServerCredentials.createInsecure());
  const sockets = new Set<Socket>();
  server.on(event, (socket: Socket) => {
    socket.setNoDelay(true);
    socket.on("error", () => socket.destroy());
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    injector.inject(socket);
  });
  return {
    address: () => ({ host, port: (server.address() as AddressInfo).port }),
    async listen() {
      await listen(server, { address: host, port, option });
    },
    async close() {
      injector.shutdown();
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
