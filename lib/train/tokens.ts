/** Token ids of many rows, wherever they lie. */
import type { RaggedBatch } from '../runtime/native.js';

/** Rows laid end to end: row r is ids[offsets[r] .. offsets[r + 1]). */
export type Ragged = Pick<RaggedBatch, 'ids' | 'offsets'>;

export interface Tokens {
	readonly rows: number;
	/** The largest id, or more than that. */
	readonly largestId: number;
	/** Tokens of each row: int32[rows]. */
	lengths(): Int32Array;
	/** Copies of the rows with these numbers, in this order. */
	read(rows: Int32Array): Ragged;
}

/** Rows kept in the portions they came in, so that their number is bounded by memory alone and no copy is made of them. */
export function tokensInMemory(portions: readonly Ragged[]): Tokens {
	const firsts = new Int32Array(portions.length + 1);
	let largestId = 0;
	for (const [index, { ids, offsets }] of portions.entries()) {
		firsts[index + 1] = (firsts[index] as number) + offsets.length - 1;
		largestId = largestIn(ids, largestId);
	}
	const rows = firsts[portions.length] as number;
	return {
		rows,
		largestId,
		lengths: () => {
			const lengths = new Int32Array(rows);
			for (const [index, { offsets }] of portions.entries()) lengths.set(lengthsIn(offsets), firsts[index]);
			return lengths;
		},
		read: (wanted) => {
			const found = Array.from(wanted, (row) => {
				const index = portionOf(firsts, row);
				const { ids, offsets } = portions[index] as Ragged;
				const place = row - (firsts[index] as number);
				return ids.subarray(offsets[place], offsets[place + 1]);
			});
			const offsets = new Int32Array(found.length + 1);
			for (const [index, { length }] of found.entries()) offsets[index + 1] = (offsets[index] as number) + length;
			const ids = new Int32Array(offsets[found.length] as number);
			for (const [index, row] of found.entries()) ids.set(row, offsets[index]);
			return { ids, offsets };
		},
	};
}

/** The rows of `tokens` with these numbers, in this order, as tokens of their own. */
export function selectedTokens(tokens: Tokens, numbers: Int32Array): Tokens {
	return {
		rows: numbers.length,
		largestId: tokens.largestId,
		lengths: () => {
			const lengths = tokens.lengths();
			return numbers.map((row) => lengths[row] as number);
		},
		read: (rows) => tokens.read(rows.map((row) => numbers[row] as number)),
	};
}

export function lengthsIn(offsets: Int32Array): Int32Array {
	return offsets.subarray(1).map((end, row) => end - (offsets[row] as number));
}

export function largestIn(ids: Int32Array, before: number): number {
	let largest = before;
	for (const id of ids) if (id > largest) largest = id;
	return largest;
}

/** The last portion that begins at `row` or before; firsts[0] is 0. */
function portionOf(firsts: Int32Array, row: number): number {
	let low = 0;
	let high = firsts.length - 2;
	while (low < high) {
		const middle = (low + high + 1) >> 1;
		if ((firsts[middle] as number) <= row) low = middle;
		else high = middle - 1;
	}
	return low;
}
