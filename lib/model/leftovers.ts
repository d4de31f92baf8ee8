/** Names that mark what is not finished or no longer wanted, and the removal of what a process that is gone left under such names. */
import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { alive } from '../runtime/cache.js';

/** A name of this process's own beside `target`, for what is to become it. */
export function temporaryFor(target: string): string {
	return join(dirname(target), `${basename(target)}.tmp-${ending()}`);
}

/** A name of this process's own beside `target`, for what is about to be deleted. */
export function trashFor(target: string): string {
	return join(dirname(target), `.trash-${ending()}`);
}

const ending = () => `${process.pid}-${randomBytes(4).toString('hex')}`;
const leftover = /^(?:(?<target>.+)\.tmp|\.trash)-(?<pid>\d+)-[0-9a-f]{8}$/;

/** A process of another machine or container on the same disk cannot be asked whether it lives; it would have finished by then. */
const staleMs = 3_600_000;

/**
 * Removes the temporary and the trash folders in `folder`, and the temporary ones of `folder` beside it, whose process is gone and which
 * have not changed for an hour. What cannot be removed stays, without an error.
 */
export async function removeLeftovers(folder: string, now = Date.now()): Promise<void> {
	const place = resolve(folder);
	await removeIn(place, () => true, now);
	await removeIn(dirname(place), (target) => target === basename(place), now);
}

async function removeIn(folder: string, wanted: (target: string | undefined) => boolean, now: number): Promise<void> {
	for (const name of await readdir(folder).catch(() => [])) {
		const { pid, target } = leftover.exec(name)?.groups ?? {};
		if (pid === undefined || !wanted(target) || alive(Number(pid))) continue;
		const path = join(folder, name);
		const changed = (await stat(path).catch(() => undefined))?.mtimeMs ?? now;
		if (now - changed > staleMs) await rm(path, { recursive: true, force: true }).catch(() => undefined);
	}
}
