/** The libtorch that `setup` put into the per-user cache: one at a time, with a record of its files. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cacheFolder } from './cache.js';
import { sha256OfFile } from './hash.js';

/** complete.json, written last: a folder without it does not count. */
export interface InstallRecord {
	readonly key: string;
	readonly version: string;
	/** `pip`, or the path it was taken from. */
	readonly source: string;
	/** SHA-256 of the archive it came in; none for a folder. */
	readonly archive?: string;
	/** Files of torch/lib by name. */
	readonly libraries: Readonly<Record<string, { readonly size: number; readonly sha256: string }>>;
}

/** Folder that holds complete.json and torch/. */
export function installFolder(env: NodeJS.ProcessEnv = process.env): string {
	return join(cacheFolder(env), 'libtorch', 'installed');
}

export function readRecord(folder: string): InstallRecord | undefined {
	try {
		const record = JSON.parse(readFileSync(join(folder, 'complete.json'), 'utf8')) as InstallRecord;
		return Object.keys(record.libraries).length > 0 ? record : undefined;
	} catch {
		return undefined;
	}
}

/** First library that is missing or not as long as it was written; cheap enough for every start. */
export function sizeFault(folder: string, record: InstallRecord): string | undefined {
	for (const [name, { size }] of Object.entries(record.libraries)) {
		const path = join(folder, 'torch', 'lib', name);
		const found = existsSync(path) ? statSync(path).size : 0;
		if (found !== size) return `${name} has ${found} bytes, ${size} were written`;
	}
	return undefined;
}

/** Libraries whose bytes are not those that were written: half a gigabyte is read. */
export async function changedLibraries(folder: string, record: InstallRecord): Promise<string[]> {
	const changed: string[] = [];
	for (const [name, written] of Object.entries(record.libraries)) {
		const path = join(folder, 'torch', 'lib', name);
		if (!existsSync(path) || (await sha256OfFile(path)) !== written.sha256) changed.push(path);
	}
	return changed;
}
