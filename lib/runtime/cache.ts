import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, statfsSync, statSync, utimes, writeFileSync } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeUnavailableError } from '../errors.js';
import { makeFolder } from './make-folder.js';
import { isDiskFull } from './system-error.js';

/** Per-user cache: DISTILTUNE_CACHE_DIR, else the platform's cache folder. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
	if (env.DISTILTUNE_CACHE_DIR) return resolve(env.DISTILTUNE_CACHE_DIR);
	if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'distiltune');
	if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'distiltune');
	if (process.platform === 'win32') return join(env.LOCALAPPDATA ?? homedir(), 'distiltune', 'Cache');
	return join(homedir(), '.cache', 'distiltune');
}

/** Where tokens of data sets are kept, a folder of our own in DISTILTUNE_TOKENS_DIR, else in the cache. May be removed at any time. */
export function tokensFolder(env: NodeJS.ProcessEnv = process.env): string {
	return env.DISTILTUNE_TOKENS_DIR ? join(resolve(env.DISTILTUNE_TOKENS_DIR), 'distiltune-tokens') : join(cacheFolder(env), 'tokens');
}

const elsewhere = 'Free some space, or name another folder in DISTILTUNE_CACHE_DIR';

/** Bytes free on the disk of `folder`. */
export function freeBytes(folder: string): number {
	const disk = statfsSync(folder);
	return disk.bavail * disk.bsize;
}

/** Throws DISK_FULL where fewer than `bytes` are free on the disk of `folder`. */
export function requireSpace(folder: string, bytes: number): void {
	const free = freeBytes(folder);
	if (free >= bytes) return;
	const [wanted, found] = [Math.ceil(bytes / 1e6), Math.floor(free / 1e6)];
	throw new RuntimeUnavailableError('DISK_FULL', `Expected ${wanted} MB free in ${folder}, found ${found} MB`, { hint: elsewhere });
}

/** Runs `body`; a full or closed disk under `folder` becomes DISK_FULL or CACHE_NOT_WRITABLE. */
export async function onDisk<T>(folder: string, body: () => Promise<T>): Promise<T> {
	try {
		return await body();
	} catch (cause) {
		if (isDiskFull(cause))
			throw new RuntimeUnavailableError('DISK_FULL', `Expected room in ${folder}, but the disk filled up`, { cause, hint: elsewhere });
		const { code, syscall } = cause as NodeJS.ErrnoException;
		const closed = ['EACCES', 'EPERM', 'EROFS', 'EBUSY', 'ENOTDIR', 'EEXIST'].includes(code ?? '');
		if (closed || syscall === 'mkdir')
			// Node gives ENOENT for a folder it cannot make on a read-only disk
			throw new RuntimeUnavailableError('CACHE_NOT_WRITABLE', `Expected to write in ${folder}: ${(cause as Error).message}`, {
				cause,
				hint: 'Name another folder in DISTILTUNE_CACHE_DIR',
			});
		throw cause;
	}
}

/** Whether a process has this number. */
export function alive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM';
	}
}

const beatMs = 5_000;
/** A holder that has not touched its file for so long is gone, and its process number belongs to another. */
const staleMs = 60_000;

/** Process that holds the lock besides the owner of `mine`; what dead ones left is removed. */
function otherHolder(path: string, mine: string): number | undefined {
	const prefix = `${basename(path)}-`;
	for (const name of readdirSync(dirname(path))) {
		const file = join(dirname(path), name);
		if (!name.startsWith(prefix) || file === mine) continue;
		const touched = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
		if (touched === undefined) continue;
		const pid = Number.parseInt(name.slice(prefix.length), 10);
		if (alive(pid) && Date.now() - touched < staleMs) return pid;
		rmSync(file, { force: true });
	}
	return undefined;
}

/**
 * Runs `body` while no other process holds the lock `path`; makes its folder. Every contender writes a file of its own and goes
 * on only if it then sees no living other: of two, the one that looks later sees the first, so never do both pass, however many
 * find a dead holder's file at once.
 */
export async function withLock<T>(path: string, body: () => Promise<T>, onWait: (pid: number) => void = () => {}): Promise<T> {
	makeFolder(dirname(path));
	const mine = `${path}-${process.pid}-${randomBytes(6).toString('hex')}`;
	for (let waited = false; ; waited = true) {
		writeFileSync(mine, '');
		const holder = otherHolder(path, mine);
		if (holder === undefined) break;
		rmSync(mine);
		if (!waited) onWait(holder);
		await sleep(100 + 200 * Math.random()); // two that saw each other come back at different times
	}
	const beat = setInterval(() => utimes(mine, new Date(), new Date(), () => {}), beatMs);
	try {
		return await body();
	} finally {
		clearInterval(beat);
		rmSync(mine, { force: true });
	}
}

/**
 * Removes files that were not used (their time of change says when they were) for `ms`, and of the others the least lately used beyond
 * `bytes` together. A file that is mapped stays whole where the system lets it be removed; Windows refuses. What cannot be removed stays.
 */
export async function removeLeastUsed(
	paths: readonly string[],
	{ bytes, ms = Number.POSITIVE_INFINITY }: { bytes: number; ms?: number },
): Promise<void> {
	const infos = await Promise.all(paths.map(async (path) => ({ path, info: await stat(path).catch(() => undefined) })));
	const files = infos.flatMap(({ path, info }) => (info === undefined ? [] : [{ path, size: info.size, usedMs: info.mtimeMs }]));
	let kept = 0;
	for (const { path, size, usedMs } of files.sort((a, b) => b.usedMs - a.usedMs)) {
		kept += size;
		if (kept > bytes || Date.now() - usedMs > ms) await rm(path, { force: true }).catch(() => undefined);
	}
}
