import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { RuntimeUnavailableError } from '../errors.js';

/** Per-user cache: DISTILTUNE_CACHE_DIR, else the platform's cache folder. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
	if (env.DISTILTUNE_CACHE_DIR) return resolve(env.DISTILTUNE_CACHE_DIR);
	if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'distiltune');
	if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'distiltune');
	if (process.platform === 'win32') return join(env.LOCALAPPDATA ?? homedir(), 'distiltune', 'Cache');
	return join(homedir(), '.cache', 'distiltune');
}

/** Makes `folder` and throws DISK_FULL where fewer than `bytes` are free on its disk. */
export function requireSpace(folder: string, bytes: number): void {
	mkdirSync(folder, { recursive: true });
	const disk = statfsSync(folder);
	const free = disk.bavail * disk.bsize;
	if (free < bytes)
		throw new RuntimeUnavailableError('DISK_FULL', `Expected ${Math.ceil(bytes / 1e6)} MB free in ${folder}, found ${Math.floor(free / 1e6)} MB`, {
			hint: 'Free some space, or name another folder in DISTILTUNE_CACHE_DIR',
		});
}

function alive(pid: number): boolean {
	try {
		process.kill(pid, 0);
		return true;
	} catch (error) {
		return (error as NodeJS.ErrnoException).code === 'EPERM';
	}
}

/** Runs `body` while holding the lock file `path`; waits for a living holder, takes the lock of a dead one over. */
export async function withLock<T>(path: string, body: () => Promise<T>, onWait: (pid: number) => void = () => {}): Promise<T> {
	const mine = `${process.pid} ${randomBytes(6).toString('hex')}`;
	for (let waited = false; ; ) {
		try {
			writeFileSync(path, mine, { flag: 'wx' });
			break;
		} catch (error) {
			if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
		}
		let holder = Number.NaN;
		try {
			holder = Number.parseInt(readFileSync(path, 'utf8'), 10);
		} catch {
			continue; // released in between
		}
		if (!Number.isNaN(holder) && !alive(holder)) {
			rmSync(path, { force: true });
			continue;
		}
		if (!waited) onWait(holder);
		waited = true;
		await sleep(200);
	}
	try {
		return await body();
	} finally {
		rmSync(path, { force: true });
	}
}
