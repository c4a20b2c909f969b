// Probes of a pod's programs from within its namespace, where nothing captures them: at the pod's address, as
// Kubernetes asks.
import type { HttpCheck, Prober } from "../readiness.ts";
import { listensAt } from "./listening.ts";
import type { Namespace } from "./namespace.ts";

/** Arguments: address, port, path, and the request's headers. */
const ASK = `
exec 3<>"/dev/tcp/$1/$2" || exit 1
printf 'GET %s HTTP/1.1\\r\\nhost: %s:%s\\r\\nconnection: close\\r\\n%s\\r\\n' "$3" "$1" "$2" "$4" >&3
read -r _ status _ <&3 && printf %s "$status"
`;

/** Returns what asks the programs of the pod in this namespace. */
export function podProber(namespace: Namespace, ip: string): Omit<Prober, "exec"> {
  return {
    tcp: (port) => listensAt(namespace.pid, ip, port),
    async http(check) {
      const { port, path, timeoutMs } = check;
      return Number(await namespace.ask(ASK, [ip, String(port), path, headersOf(check)], timeoutMs)) || 0;
    },
  };
}

function headersOf({ headers }: HttpCheck): string {
  return Object.entries(headers)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join("");
}
