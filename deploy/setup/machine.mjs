/** An expected failure of the set-up; its message is one sentence that says what to do. */
export class SetupError extends Error {}

const OLDEST_NODE = [20, 19];

/** Throws SetupError when this machine cannot run the mesh: Linux on x86_64 or arm64, Node 20.19 or newer. */
export function checkMachine({ platform, arch, nodeVersion }) {
  if (platform !== "linux")
    throw new SetupError(
      `Scrim runs on Linux, this is ${platform}: use a Linux machine, a virtual machine or a container.`,
    );
  if (arch !== "x64" && arch !== "arm64")
    throw new SetupError(`Scrim runs on x86_64 and arm64, this machine is ${arch}: use another machine.`);
  const [major, minor] = nodeVersion.split(".").map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    throw new SetupError(
      `Scrim needs Node ${OLDEST_NODE.join(".")} or newer, this is ${nodeVersion}: install a newer Node.`,
    );
  }
}
