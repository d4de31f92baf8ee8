/**
 * checkpoint-N folders: one that can be seen is whole. It is written under a temporary name, flushed, sealed with a manifest and renamed;
 * until then nothing is overwritten or deleted. What is no longer wanted is renamed before it is deleted.
 */
import { readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';

import { trashFor } from '../model/leftovers.js';
import { flushFiles, flushFolder, inTemporaryFolder } from '../model/write-folder.js';
import { isFolder } from '../runtime/is-file.js';
import { type CheckpointFacts, type Manifest, readManifest, sealFolder } from './manifest.js';

export interface Checkpoint {
	/** Absolute. */
	readonly folder: string;
	readonly manifest: Manifest;
}

export interface Damaged {
	readonly folder: string;
	readonly reason: string;
}

/** Where the checkpoint of a step is, or would be. */
export const checkpointFolder = (outputDir: string, step: number): string => resolve(outputDir, `checkpoint-${step}`);

/** Folders named checkpoint-N, the newest first, and those without a manifest that can be read; their other files are not looked at. */
export async function listCheckpoints(outputDir: string): Promise<{ readonly readable: Checkpoint[]; readonly unreadable: Damaged[] }> {
	const readable: Checkpoint[] = [];
	const unreadable: Damaged[] = [];
	for (const name of await readdir(outputDir).catch(() => [])) {
		const step = /^checkpoint-(\d+)$/.exec(name)?.[1];
		const folder = resolve(outputDir, name);
		if (step === undefined || !(await isFolder(folder))) continue;
		try {
			const manifest = await readManifest(folder);
			if (manifest.step !== Number(step)) throw new Error(`its manifest is that of checkpoint-${manifest.step}`);
			readable.push({ folder, manifest });
		} catch (error) {
			unreadable.push({ folder, reason: (error as Error).message });
		}
	}
	readable.sort((a, b) => b.manifest.sequence - a.manifest.sequence || b.manifest.step - a.manifest.step);
	return { readable, unreadable };
}

/**
 * Makes `outputDir`/checkpoint-N of the files that `write` puts into a folder, about `bytes` in all. Throws as inTemporaryFolder does;
 * whatever stood there is then as it was. Where a checkpoint of this step is there already, it gives way to the new one by two renames;
 * between them only the other checkpoints can be seen.
 */
export async function saveCheckpoint(
	outputDir: string,
	facts: Omit<CheckpointFacts, 'sequence'>,
	bytes: number,
	write: (temporary: string) => Promise<void>,
): Promise<Checkpoint> {
	const folder = checkpointFolder(outputDir, facts.step);
	const { manifest, old } = await inTemporaryFolder(folder, { what: basename(folder), bytes }, async (temporary) => {
		const [newest] = (await listCheckpoints(outputDir)).readable;
		await write(temporary);
		await flushFiles(temporary);
		const manifest = await sealFolder(temporary, { ...facts, sequence: (newest?.manifest.sequence ?? 0) + 1 });
		await flushFolder(temporary);
		const old = await putAside(folder);
		await rename(temporary, folder).catch(async (error: unknown) => {
			if (old !== undefined) await rename(old, folder);
			throw error;
		});
		await flushFolder(dirname(folder));
		return { manifest, old };
	});
	if (old !== undefined) await remove(old).catch(() => undefined); // it is a leftover then
	return { folder, manifest };
}

/**
 * Deletes the oldest checkpoints until `limit` are left, as Transformers does: the newest and `best` stay whatever the limit. Returns a
 * sentence for each that could not be deleted. Folders without a manifest of ours are not counted and stay.
 */
export async function rotateCheckpoints(outputDir: string, limit: number, best: string | undefined): Promise<string[]> {
	const { readable } = await listCheckpoints(outputDir);
	const [, ...older] = readable.map(({ folder }) => folder);
	const victims = older.filter((folder) => folder !== best).reverse();
	const failures: string[] = [];
	for (const victim of victims.slice(0, Math.max(0, readable.length - limit))) {
		try {
			const trash = await putAside(victim);
			await flushFolder(dirname(victim)); // else the files could be gone while the folder still has its name
			if (trash !== undefined) await remove(trash);
		} catch (error) {
			failures.push(`${victim} could not be removed: ${(error as Error).message}`);
		}
	}
	return failures;
}

const remove = (folder: string) => rm(folder, { recursive: true });

/** The new name of `folder`, which is now trash; undefined where it was not there. */
async function putAside(folder: string): Promise<string | undefined> {
	if (!(await isFolder(folder))) return undefined;
	const trash = trashFor(folder);
	await rename(folder, trash);
	return trash;
}
