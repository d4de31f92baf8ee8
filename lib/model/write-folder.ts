/** Folders that are whole or not there: temporary names, flushes, renames. */
import { open, readdir, rename, rm, rmdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DistiltuneError } from '../errors.js';
import { freeBytes } from '../runtime/cache.js';
import { isFolder } from '../runtime/is-file.js';
import { makeFolder } from '../runtime/make-folder.js';
import { isDiskFull, systemCode } from '../runtime/system-error.js';
import { temporaryFor } from './leftovers.js';

/** What is being written, for the sentence of an error. */
export interface Writing {
	/** 'the model' or 'checkpoint-500' */
	readonly what: string;
	/** About what it will take, where that is known. */
	readonly bytes?: number | undefined;
}

const theModel: Writing = { what: 'the model' };

/**
 * Makes `folder` whole or leaves it as it was. `write` puts files into an empty folder beside it; they are flushed to the disk, then the
 * folder is renamed. Where `folder` is there already, the new files replace theirs one by one, by rename, and others stay; config.json
 * goes first and comes last, so that a crash in between leaves no model instead of half of each. Throws as inTemporaryFolder does.
 */
export async function writeFolderAtomically(folder: string, write: (temporary: string) => Promise<void>): Promise<void> {
	const target = resolve(folder);
	await inTemporaryFolder(target, theModel, async (temporary) => {
		await write(temporary);
		await flushFiles(temporary);
		await flushFolder(temporary);
		if (!(await isFolder(target))) {
			await rename(temporary, target);
		} else {
			const names = await readdir(temporary);
			const others = names.filter((name) => name !== 'config.json');
			if (others.length > 0 && others.length < names.length) {
				// A folder between two models must not pass for either.
				await rm(join(target, 'config.json'), { force: true });
				await flushFolder(target);
			}
			for (const name of [...others, ...names.filter((name) => name === 'config.json')]) await rename(join(temporary, name), join(target, name));
			await flushFolder(target);
			await rmdir(temporary);
		}
		await flushFolder(dirname(target));
	});
}

/**
 * Runs `body` with a new folder beside `target`, an absolute path; the folders above are made where they are missing. Throws what `body`
 * throws, an error of the system as DistiltuneError DISK_FULL, OUTPUT_NOT_WRITABLE or TOO_MANY_FILES; the new folder is then removed.
 */
export async function inTemporaryFolder<Result>(target: string, writing: Writing, body: (temporary: string) => Promise<Result>): Promise<Result> {
	const temporary = temporaryFor(target);
	try {
		await makeLastingFolder(dirname(target));
		makeFolder(temporary);
		return await body(temporary);
	} catch (cause) {
		await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
		throw outputError(target, writing, cause);
	}
}

/** Makes a file whole or leaves it as it was, and the folders above it. Throws as inTemporaryFolder does. */
export async function writeFileWhole(path: string, content: string): Promise<void> {
	const temporary = temporaryFor(path);
	try {
		await makeLastingFolder(dirname(path));
		await writeFile(temporary, content);
		await flushFile(temporary);
		await rename(temporary, path);
	} catch (cause) {
		await rm(temporary, { force: true }).catch(() => undefined);
		throw outputError(path, { what: basename(path), bytes: Buffer.byteLength(content) }, cause);
	}
}

/** Throws OUTPUT_NOT_WRITABLE or DISK_FULL where writeFolderAtomically could not even begin; leaves nothing behind but the folders above. */
export async function requireWritable(folder: string): Promise<void> {
	const target = resolve(folder);
	const there = await stat(target).catch(() => undefined);
	if (there !== undefined && !there.isDirectory())
		throw new DistiltuneError('OUTPUT_NOT_WRITABLE', `Expected ${target} to be a folder, but a file has that name`, {
			hint: 'name another folder with --output-dir',
		});
	const trials = there === undefined ? [temporaryFor(target)] : [temporaryFor(target), temporaryFor(join(target, 'model'))];
	try {
		for (const trial of trials) {
			makeFolder(trial);
			await rmdir(trial);
		}
	} catch (cause) {
		throw outputError(target, theModel, cause);
	}
}

/** Flushes every file of a folder that holds nothing else. */
export async function flushFiles(folder: string): Promise<void> {
	for (const name of await readdir(folder)) await flushFile(join(folder, name));
}

export function flushFile(file: string): Promise<void> {
	return flush(file, 'r+'); // Windows flushes nothing that is open for reading only
}

/** So that names survive a crash. Windows cannot open folders and needs no such call; some network disks refuse it and have no other. */
export async function flushFolder(folder: string): Promise<void> {
	if (process.platform === 'win32') return;
	await flush(folder, 'r').catch((error: NodeJS.ErrnoException) => {
		if (error.code !== 'EINVAL' && error.code !== 'ENOTSUP') throw error;
	});
}

async function flush(path: string, flags: 'r' | 'r+'): Promise<void> {
	const handle = await open(path, flags);
	try {
		await handle.sync();
	} finally {
		await handle.close();
	}
}

/** Makes a folder and those above it; their names are flushed too. */
async function makeLastingFolder(folder: string): Promise<void> {
	const missing: string[] = [];
	for (let path = folder; !(await isFolder(path)) && path !== dirname(path); path = dirname(path)) missing.push(path);
	makeFolder(folder);
	for (const path of missing.reverse()) await flushFolder(dirname(path));
}

/** What an error of the system while writing to `target` is called; other errors stay as they are. */
function outputError(target: string, { what, bytes }: Writing, cause: unknown): unknown {
	if (cause instanceof DistiltuneError) return cause;
	const [code, { message }] = [systemCode(cause), cause as Error];
	const details = { path: target, ...(bytes === undefined ? {} : { bytesNeeded: bytes }) };
	const place = basename(target) === what ? dirname(target) : target;
	if (isDiskFull(cause)) {
		const bytesFree = freeNear(target);
		const needed = bytes === undefined ? '' : `: expected about ${megabytes(bytes)} MB, found ${megabytes(bytesFree)} MB`;
		return new DistiltuneError('DISK_FULL', `No space left to write ${what} to ${place}${needed}`, {
			cause,
			hint: 'free some disk space',
			details: { ...details, bytesFree },
		});
	}
	const sentence = `Could not write ${what} to ${place}: ${message}`;
	if (code === 'EMFILE' || code === 'ENFILE' || code === 'TOO_MANY_FILES')
		return new DistiltuneError('TOO_MANY_FILES', sentence, { cause, details, hint: 'close files, or allow more: ulimit -n 4096' });
	if (/^E[A-Z]+$/.test(code) || code === 'NOT_WRITABLE' || code === 'WRITE_FAILED')
		return new DistiltuneError('OUTPUT_NOT_WRITABLE', sentence, { cause, details, hint: 'name another folder with --output-dir' });
	return cause;
}

const megabytes = (bytes: number) => Math.ceil(bytes / 1e6);

/** Bytes free on the disk of the nearest folder above `path` that is there; 0 where nobody can say. */
function freeNear(path: string): number {
	try {
		return freeBytes(path);
	} catch {
		return path === dirname(path) ? 0 : freeNear(dirname(path));
	}
}
