/** What a run's rows are, counted. */
import { setImmediate } from 'node:timers/promises';

import { type Examples, rowsOf } from './examples.js';
import type { Targets } from './targets.js';
import type { Ragged } from './tokens.js';

export interface RowCounts {
	readonly train: number;
	/** Training rows of each label, in the order of the labels; null where a row has no one label. */
	readonly perLabel: readonly number[] | null;
	/** 0 where nothing is measured. */
	readonly eval: number;
	/** Evaluation rows that the model sees among the training rows too, token for token; cut as both are. */
	readonly shared: number;
}

/** `labels`: how many there are, where a row has one of them; else null. */
export async function countRows(train: Examples, evaluation: Examples | undefined, labels: number | null): Promise<RowCounts> {
	return {
		train: rowsOf(train),
		perLabel: labels === null ? null : countsOf(train.targets, labels),
		eval: evaluation === undefined ? 0 : rowsOf(evaluation),
		shared: evaluation === undefined ? 0 : await shared(train, evaluation),
	};
}

function countsOf(classes: Targets, labels: number): number[] {
	const counts = new Array<number>(labels).fill(0);
	for (const label of classes) counts[label] = (counts[label] as number) + 1;
	return counts;
}

// Rows read at once: the JavaScript thread is given way to between them.
const ROWS_AT_ONCE = 512;

// Rows are told apart by 53 bits: two of a million million pairs of rows would be taken for each other.
async function shared(train: Examples, evaluation: Examples): Promise<number> {
	const keys: number[] = [];
	for await (const key of keysOf(evaluation)) keys.push(key);
	const wanted = new Set(keys);
	const found = new Set<number>();
	for await (const key of keysOf(train)) if (wanted.has(key)) found.add(key);
	return keys.filter((key) => found.has(key)).length;
}

async function* keysOf({ tokens }: Examples): AsyncGenerator<number> {
	for (let first = 0; first < tokens.rows; first += ROWS_AT_ONCE) {
		const rows = Int32Array.from({ length: Math.min(ROWS_AT_ONCE, tokens.rows - first) }, (_, row) => first + row);
		const portion = tokens.read(rows);
		for (const row of rows.keys()) yield keyOf(portion, row);
		await setImmediate();
	}
}

/** Two multiplicative hashes of 32 bits over the row's ids (the constants are those of MurmurHash3), 53 bits of them. */
function keyOf({ ids, offsets }: Ragged, row: number): number {
	let [first, second] = [0x9747b28c, 0x85ebca6b];
	for (let token = offsets[row] as number; token < (offsets[row + 1] as number); token++) {
		const id = ids[token] as number;
		first = Math.imul(first ^ id, 0xcc9e2d51);
		first ^= first >>> 15;
		second = Math.imul(second ^ id, 0x1b873593);
		second ^= second >>> 13;
	}
	return (first >>> 0) * 2 ** 21 + (second >>> 11);
}
