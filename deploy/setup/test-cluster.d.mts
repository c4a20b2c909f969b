export const TEST_HUB: string;
export const CLUSTER_PROGRAMS: string;
export const CLUSTER_IMAGES: readonly string[];
