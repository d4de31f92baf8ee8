/** sweep.json: the one record of a sweep, from which its table and picture are made and from which it goes on. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Fingerprint } from '../data/row.js';
import { ConfigError } from '../errors.js';
import { writeFileWhole } from '../model/write-folder.js';
import { isSplit, show } from '../option-check.js';
import type { SweepConfig } from './config.js';
import type { MedianStop, Point } from './median.js';
import type { Metric } from './metric.js';
import type { Trial } from './space.js';

/** A run that has come to its end, one way or another. */
export interface EndedRun extends Trial {
	/** 'stopped': by the median rule. 'failed': the training itself, as with a loss that is no number. */
	readonly status: 'finished' | 'stopped' | 'failed';
	/** Of the metric, one an evaluation. */
	readonly points: readonly Point[];
	readonly steps: number;
	readonly seconds: number;
	/** Of the model that was saved, every metric that is one number; null where the run did not finish. */
	readonly metrics: Readonly<Record<string, number | null>> | null;
	/** Which rows of the evaluation set got their label, as bits, lowest first, in base64; null where the run did not finish or rows have no one label. */
	readonly right: string | null;
	readonly stop?: MedianStop;
	readonly error?: { readonly code: string; readonly message: string };
}

export interface SweepRecord {
	readonly format: 1;
	/** What makes it this sweep and no other. */
	readonly sweep: Readonly<Record<string, unknown>>;
	readonly versions: { readonly distiltune: string; readonly node: string };
	readonly data: { readonly train: Fingerprint; readonly eval: Fingerprint };
	/** Runs that are planned. */
	readonly planned: number;
	/** null until a run was measured. */
	readonly metric: Metric | null;
	/** In the order of their numbers. */
	readonly runs: readonly EndedRun[];
}

/** Options that change no number of a run. */
const harmless: readonly string[] = ['train', 'outputDir', 'threads'];

/**
 * What two calls of one sweep share. Data is told by its content (`data`), and the number of random runs may grow, since
 * more of them begin with the same ones.
 */
export function identityOf({ base, space, random, sweepSeed = 42, metric, goal, medianStop = true }: SweepConfig): Record<string, unknown> {
	const options = Object.entries(base).filter(([name, value]) => value !== undefined && !harmless.includes(name));
	return JSON.parse(
		JSON.stringify({
			options: Object.fromEntries(options.map(([name, value]) => [name, name === 'eval' && !isSplit(value) ? 'rows' : value])),
			space,
			trials: random === undefined ? 'grid' : { drawnBy: sweepSeed },
			metric: metric ?? 'default',
			goal: goal ?? 'default',
			medianStop,
		}),
	);
}

const fileOf = (folder: string) => join(folder, 'sweep.json');

/** The record in `folder`, or undefined where there is none. Throws ConfigError SWEEP_UNREADABLE. */
export async function readRecord(folder: string): Promise<SweepRecord | undefined> {
	const text = await readFile(fileOf(folder), 'utf8').catch((error: NodeJS.ErrnoException) => {
		if (error.code === 'ENOENT') return undefined;
		throw error;
	});
	if (text === undefined) return undefined;
	try {
		const record = JSON.parse(text) as SweepRecord;
		if (record.format === 1 && Array.isArray(record.runs)) return record;
	} catch {}
	throw new ConfigError('SWEEP_UNREADABLE', `Expected ${fileOf(folder)} to be the record of a sweep of this version`, {
		hint: 'name another folder with --output-dir',
	});
}

/** Throws ConfigError SWEEP_DIFFERENT where `record` is not of the sweep `identity` on the rows `data`, or planned more runs than `planned`. */
export function requireSame(
	record: SweepRecord,
	identity: Record<string, unknown>,
	data: SweepRecord['data'],
	planned: number,
	folder: string,
): void {
	const differences = [
		...differencesOf(record.sweep, identity),
		...(['train', 'eval'] as const)
			.filter((part) => record.data[part].sha256 !== data[part].sha256)
			.map((part) => `the rows of ${part} were others (${record.data[part].rows} of ${record.data[part].source})`),
		...(record.planned > planned ? [`it had ${record.planned} runs, now ${planned}`] : []),
	];
	if (differences.length === 0) return;
	throw new ConfigError('SWEEP_DIFFERENT', `Expected ${folder} to be empty or of this sweep, but it holds another: ${differences.join('; ')}`, {
		hint: 'name another folder with --output-dir, or repeat the options of the sweep that is there',
		details: { differences },
	});
}

function differencesOf(there: unknown, wanted: unknown, name = ''): string[] {
	if (JSON.stringify(there) === JSON.stringify(wanted)) return [];
	if (!isPlain(there) || !isPlain(wanted)) return [`${name} was ${said(there)}, now ${said(wanted)}`];
	const inner = [...new Set([...Object.keys(there), ...Object.keys(wanted)])].flatMap((key) => differencesOf(there[key], wanted[key], key));
	return inner.length > 0 ? inner : name === 'options' ? [] : [`the order of ${name} was ${Object.keys(there)}, now ${Object.keys(wanted)}`];
}

const said = (value: unknown) => (value === undefined ? 'not given' : show(value));
const isPlain = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whole or not at all. */
export async function writeRecord(folder: string, record: SweepRecord): Promise<void> {
	await writeFileWhole(fileOf(folder), `${JSON.stringify(record, undefined, '\t')}\n`);
}

/** Bits, lowest first, in base64. */
export function bitsOf(flags: readonly boolean[]): string {
	const bytes = Buffer.alloc(Math.ceil(flags.length / 8));
	for (const [index, flag] of flags.entries()) if (flag) bytes[index >> 3] = (bytes[index >> 3] as number) | (1 << (index & 7));
	return bytes.toString('base64');
}

/** The first `count` of bitsOf's flags. */
export function flagsOf(bits: string, count: number): boolean[] {
	const bytes = Buffer.from(bits, 'base64');
	return Array.from({ length: count }, (_, index) => (((bytes[index >> 3] ?? 0) >> (index & 7)) & 1) === 1);
}
