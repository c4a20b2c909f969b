export class SetupError extends Error {}
export function checkMachine(machine: {
  readonly platform: string;
  readonly arch: string;
  readonly nodeVersion: string;
}): void;
