/** The folders of a sweep: one a run, and `best`, which is the folder of the best run under another name. */

import { existsSync } from 'node:fs';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { DistiltuneError } from '../errors.js';
import { runFile, unfinishedRunFile } from '../train/record.js';

const keptOfOthers: readonly string[] = [runFile, 'trainer_state.json', unfinishedRunFile];

export const runFolder = (sweep: string, number: number): string => join(sweep, `run-${number}`);
export const bestFolder = (sweep: string): string => join(sweep, 'best');

/** Whether the model of run `number` is there, in its own folder or as `best`. */
export async function hasModel(sweep: string, number: number): Promise<boolean> {
	return existsSync(join(runFolder(sweep, number), 'config.json')) || (await occupant(sweep)) === number;
}

/**
 * Makes the model of run `best` the folder `best`, and leaves the records alone of the `others`. Only renames and deletions: a model folder is
 * whole wherever it is, and a second call ends what a first one began.
 */
export async function settleFolders(sweep: string, best: number, others: readonly number[]): Promise<void> {
	const there = await occupant(sweep);
	if (there !== best) {
		if (there !== undefined) await rename(bestFolder(sweep), runFolder(sweep, there));
		await rename(runFolder(sweep, best), bestFolder(sweep));
	}
	for (const number of others) await prune(runFolder(sweep, number));
}

/** Removes what a run that was broken off left. */
export async function clearRun(sweep: string, number: number): Promise<void> {
	const own = basename(runFolder(sweep, number));
	const left = (await readdir(sweep)).filter((name) => name === own || name.startsWith(`${own}.tmp-`));
	for (const name of left) await rm(join(sweep, name), { recursive: true, force: true });
}

/** The run whose folder `best` is. Throws OUTPUT_NOT_WRITABLE where it is none of this sweep's. */
async function occupant(sweep: string): Promise<number | undefined> {
	const folder = bestFolder(sweep);
	if (!existsSync(folder)) return undefined;
	const { outputDir } = await readFile(join(folder, 'run.json'), 'utf8')
		.then((text) => JSON.parse(text).config as { outputDir: string })
		.catch(() => ({ outputDir: '' }));
	const number = /^run-(\d+)$/.exec(basename(outputDir))?.[1];
	if (number !== undefined) return Number(number);
	throw new DistiltuneError('OUTPUT_NOT_WRITABLE', `Expected ${folder} to be the best run of this sweep, but it is some other folder`, {
		hint: 'move it away, or name another folder with --output-dir',
	});
}

/** config.json goes first: what is left of a folder never looks like a model. */
async function prune(folder: string): Promise<void> {
	const names = (await readdir(folder).catch(() => [])).filter((name) => !keptOfOthers.includes(name));
	for (const name of names.sort((a, b) => Number(b === 'config.json') - Number(a === 'config.json'))) {
		await rm(join(folder, name), { recursive: true, force: true });
	}
}
