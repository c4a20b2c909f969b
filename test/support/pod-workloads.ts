// YAML of workloads in pods of their own, with the ports that their programs listen on.
import { documents } from "./workloads.ts";

export interface Workload {
  readonly name: string;
  readonly command: string;
  readonly ports?: Readonly<Record<string, number>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly user?: number;
}

/** A Deployment, and a Service for its ports, by their names. */
export function workload({ name, command, ports = {}, annotations = {}, user }: Workload): string {
  const numbers = Object.entries(ports);
  const container = { name, ports: numbers.map(([, containerPort]) => ({ containerPort })) };
  const spec = {
    serviceAccountName: name,
    ...(user !== undefined && { securityContext: { runAsUser: user } }),
    containers: [container],
  };
  const service = `apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: default}
spec: ${JSON.stringify({ selector: { app: name }, ports: numbers.map(([port, number]) => ({ name: port, port: number })) })}
`;
  return documents(
    ...(numbers.length > 0 ? [service] : []),
    `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}, namespace: default}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: ${JSON.stringify({ labels: { app: name }, annotations: { ...annotations, "scrim.mesh/local-command": command } })}
    spec: ${JSON.stringify(spec)}
`,
  );
}
