export const CLUSTER_SERVICES: string;
export const DEFAULT_STATE: string;
export function startCluster(state: string, options?: { readonly isHeld?: boolean }): Promise<void>;
export function addNode(state: string, number: number): Promise<void>;
export function endCluster(state: string): Promise<void>;
export function insideCluster(state: string, command: readonly string[]): readonly string[];
export function kubeconfigOf(state: string): string;
