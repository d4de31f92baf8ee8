/** A data set as the model reads it: token ids of all rows end to end, tokenized once. */

import type { DatasetRow } from '../data/row.js';
import { ModelError } from '../errors.js';
import type { RaggedBatch, RaggedEncoding } from '../runtime/native.js';
import type { TargetReader, Targets } from './targets.js';

/** Rows laid end to end; row r is ids[offsets[r] .. offsets[r + 1]). */
export interface Examples {
	readonly ids: Int32Array;
	readonly offsets: Int32Array;
	readonly targets: Targets;
	/** Where each row stands in the data, as `DatasetRow.line`. */
	readonly lines: Int32Array;
}

/** What was seen on the way and may deserve a warning; each a count of rows. */
export interface Remarks {
	readonly empty: number;
	readonly truncated: number;
	readonly withNul: number;
}

export interface ReadResult {
	readonly examples: Examples;
	readonly labels: readonly string[];
	readonly remarks: Remarks;
}

export interface ReadOptions {
	readonly encode: (texts: readonly string[]) => Promise<RaggedEncoding>;
	readonly targets: TargetReader;
	/** The error a text longer than the limit is, where it is one. */
	readonly onTruncated?: ((row: DatasetRow) => Error) | undefined;
	/** Asked before each portion of texts; throws to end the reading. */
	readonly stopIfAborted: () => void;
}

// Texts handed to the tokenizer at once: enough to keep its thread busy, little enough to hold in memory.
const ROWS_AT_ONCE = 512;

export async function readExamples(rows: AsyncIterable<DatasetRow>, options: ReadOptions): Promise<ReadResult> {
	const parts: RaggedEncoding[] = [];
	const remarks = { empty: 0, truncated: 0, withNul: 0 };
	const lines: number[] = [];
	let waiting: DatasetRow[] = [];

	const encodeWaiting = async () => {
		const encoding = await options.encode(waiting.map(({ text }) => text));
		const first = encoding.truncated.indexOf(1);
		const longer = waiting[first];
		if (longer !== undefined && options.onTruncated !== undefined) throw options.onTruncated(longer);
		remarks.truncated += encoding.truncated.reduce((sum, flag) => sum + flag, 0);
		parts.push(encoding);
		waiting = [];
	};

	for await (const row of rows) {
		options.targets.add(row);
		lines.push(row.line);
		if (row.text.trim() === '') remarks.empty += 1;
		if (row.text.includes('\0')) remarks.withNul += 1;
		waiting.push(row);
		if (waiting.length === ROWS_AT_ONCE) {
			options.stopIfAborted();
			await encodeWaiting();
		}
	}
	options.stopIfAborted();
	if (waiting.length > 0) await encodeWaiting();

	const { labels, targets } = options.targets.settle();
	return { examples: { ...joined(parts), targets, lines: Int32Array.from(lines) }, labels, remarks };
}

/** What a run says of the rows it read from `source`. */
export function warningsOf({ empty, truncated, withNul }: Remarks, source: string, maxLength: number): { code: string; message: string }[] {
	const texts = (count: number) => (count === 1 ? '1 text' : `${count} texts`);
	const remarks = [
		{ code: 'TEXT_EMPTY', count: empty, ending: `${empty === 1 ? 'is' : 'are'} empty and will be read as [CLS] [SEP]` },
		{ code: 'TEXT_TRUNCATED', count: truncated, ending: `${truncated === 1 ? 'was' : 'were'} cut to ${maxLength} tokens` },
		{ code: 'TEXT_WITH_NUL', count: withNul, ending: `${withNul === 1 ? 'holds' : 'hold'} NUL bytes, which are left out` },
	];
	return remarks.filter(({ count }) => count > 0).map(({ code, count, ending }) => ({ code, message: `${texts(count)} of ${source} ${ending}` }));
}

/** The rows with these numbers, in this order, as examples of their own. */
export function subset(examples: Examples, rows: Int32Array): Examples {
	const { ids, offsets, labels } = pack(examples, rows);
	return { ids, offsets, targets: labels, lines: rows.map((row) => examples.lines[row] as number) };
}

export const rowsOf = ({ offsets }: Examples): number => offsets.length - 1;

/** Tokens of each row. */
export function lengthsOf({ offsets }: Examples): Int32Array {
	return Int32Array.from({ length: offsets.length - 1 }, (_, row) => (offsets[row + 1] ?? 0) - (offsets[row] ?? 0));
}

/** The engine reads a row of its embedding for each token: there must be one. Throws ModelError VOCABULARY_MISMATCH. */
export function requireKnownTokens(examples: readonly (Examples | undefined)[], vocabSize: number, folder: string): void {
	const largest = examples.reduce((most, each) => (each === undefined ? most : each.ids.reduce((a, b) => Math.max(a, b), most)), 0);
	if (largest < vocabSize) return;
	throw new ModelError('VOCABULARY_MISMATCH', `The vocabulary of ${folder} has a token ${largest}, but its model knows only ${vocabSize}`);
}

/** A batch of the rows with these numbers, in this order. */
export function pack({ ids, offsets, targets }: Examples, rows: Int32Array): Required<RaggedBatch> {
	const batchOffsets = new Int32Array(rows.length + 1);
	for (const [index, row] of rows.entries()) {
		batchOffsets[index + 1] = (batchOffsets[index] ?? 0) + (offsets[row + 1] ?? 0) - (offsets[row] ?? 0);
	}
	const batchIds = new Int32Array(batchOffsets[rows.length] ?? 0);
	for (const [index, row] of rows.entries()) batchIds.set(ids.subarray(offsets[row], offsets[row + 1]), batchOffsets[index]);
	const width = targets.length / (offsets.length - 1);
	const labels = targets.slice(0, rows.length * width);
	for (const [index, row] of rows.entries()) labels.set(targets.subarray(row * width, (row + 1) * width), index * width);
	return { ids: batchIds, offsets: batchOffsets, labels };
}

function joined(parts: readonly RaggedEncoding[]): { ids: Int32Array; offsets: Int32Array } {
	const ids = new Int32Array(parts.reduce((sum, part) => sum + part.ids.length, 0));
	const offsets = new Int32Array(parts.reduce((sum, part) => sum + part.offsets.length - 1, 0) + 1);
	let token = 0;
	let row = 0;
	for (const part of parts) {
		ids.set(part.ids, token);
		offsets.set(
			part.offsets.map((offset) => offset + token),
			row,
		);
		token += part.ids.length;
		row += part.offsets.length - 1;
	}
	return { ids, offsets };
}
