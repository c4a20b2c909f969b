// Whom a workload's programs run as when `scrim up` is root and they are not to be.
import { stat } from "node:fs/promises";
import { dirname } from "node:path";
import type { RunAs } from "../../pods/workload-plan.ts";
import type { UnixUser } from "../child-process.ts";

export interface WorkloadUser extends UnixUser {
  /** It may read what root may: without that it could not even walk to its folder. */
  readonly readsAll: boolean;
}

const READS_ALL = "dac_read_search";
const NOBODY = 65_534;
/** What programs in containers may, as container engines have it: nothing with which rules could be changed. */
const BOUNDS = [
  ...["chown", "dac_override", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap"],
  ...["net_bind_service", "sys_chroot", "audit_write", "setfcap"],
];

/**
 * Returns the user that the pod's template asks for; else the owner of the workload's folder, or, where that is root,
 * nobody.
 */
export async function workloadUser(folder: string, runAs: RunAs | undefined): Promise<WorkloadUser> {
  const owner = await stat(folder);
  const usual = owner.uid === 0 ? { uid: NOBODY, gid: NOBODY } : { uid: owner.uid, gid: owner.gid };
  const uid = runAs?.uid ?? usual.uid;
  const gid = runAs?.gid ?? (runAs?.uid === undefined ? usual.gid : runAs.uid);
  return { uid, gid, readsAll: uid !== 0 && !(await canWalkTo(folder, { uid, gid })) };
}

/** Returns how `setpriv` is started so that what follows runs as this user. */
export function asUser(setpriv: string, { uid, gid, readsAll }: WorkloadUser): readonly string[] {
  const bounds = readsAll ? [...BOUNDS, READS_ALL] : BOUNDS;
  return [
    setpriv,
    `--reuid=${uid}`,
    `--regid=${gid}`,
    "--clear-groups",
    `--bounding-set=-all,${bounds.map((name) => `+${name}`).join(",")}`,
    ...(readsAll ? [`--inh-caps=-all,+${READS_ALL}`, `--ambient-caps=+${READS_ALL}`] : ["--inh-caps=-all"]),
    "--",
  ];
}

/** By the modes of all folders on the way; what access lists say besides does not count. */
async function canWalkTo(folder: string, { uid, gid }: UnixUser): Promise<boolean> {
  for (let path = folder; ; path = dirname(path)) {
    const { mode, uid: owner, gid: group } = await stat(path);
    const bit = owner === uid ? 0o100 : group === gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) return false;
    if (path === dirname(path)) return true;
  }
}
