/** A data set as the model reads it, tokenized once. */

import type { DatasetRow } from '../data/row.js';
import { ModelError } from '../errors.js';
import type { RaggedBatch, RaggedEncoding } from '../runtime/native.js';
import { Int32List } from './int32-list.js';
import type { TargetReader, Targets } from './targets.js';
import { selectedTokens, type Tokens } from './tokens.js';

export interface Examples {
	readonly tokens: Tokens;
	readonly targets: Targets;
	/** Where each row stands in the data, as `DatasetRow.line`. */
	readonly lines: Int32Array;
}

/** What was seen on the way and may deserve a warning; each a count of rows. */
export interface Remarks {
	readonly empty: number;
	readonly truncated: number;
	readonly withNul: number;
	/** Line of the first row that was cut; 0 where none was. */
	readonly firstTruncated: number;
}

export interface ReadOptions {
	readonly encode: (texts: readonly string[]) => Promise<RaggedEncoding>;
	readonly targets: TargetReader;
	/** Takes the tokens of the rows in order. */
	readonly take: (portion: RaggedEncoding) => Promise<void>;
	/** Told the line of each row that was cut, before its tokens are taken; may throw. */
	readonly onTruncated?: ((line: number) => void) | undefined;
	/** Asked before each portion of texts; throws to end the reading. */
	readonly stopIfAborted: () => void;
}

// Texts handed to the tokenizer at once: enough to keep its thread busy, little enough to hold in memory.
const ROWS_AT_ONCE = 512;
const UNITS_AT_ONCE = 4 * 2 ** 20;

/** Walks the rows once, holding a portion of texts at a time. */
export async function readExamples(
	rows: AsyncIterable<DatasetRow>,
	{ encode, targets, take, onTruncated, stopIfAborted }: ReadOptions,
): Promise<Pick<Examples, 'targets' | 'lines'> & { readonly labels: readonly string[]; readonly remarks: Remarks }> {
	const remarks = { empty: 0, truncated: 0, withNul: 0, firstTruncated: 0 };
	const lines = new Int32List();
	let texts: string[] = [];
	let units = 0;

	const encodeWaiting = async () => {
		stopIfAborted();
		const encoding = await encode(texts);
		const first = lines.length - texts.length;
		for (const [row, cut] of encoding.truncated.entries()) {
			if (cut === 0) continue;
			const line = lines.at(first + row);
			if (remarks.truncated++ === 0) remarks.firstTruncated = line;
			onTruncated?.(line);
		}
		await take(encoding);
		[texts, units] = [[], 0];
	};

	for await (const row of rows) {
		targets.add(row);
		if (row.text.trim() === '') remarks.empty += 1;
		if (row.text.includes('\0')) remarks.withNul += 1;
		texts.push(row.text);
		lines.push(row.line);
		units += row.text.length;
		if (texts.length === ROWS_AT_ONCE || units > UNITS_AT_ONCE) await encodeWaiting();
	}
	stopIfAborted();
	if (texts.length > 0) await encodeWaiting();
	return { ...targets.settle(), lines: lines.values(), remarks };
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
export function subset({ tokens, targets, lines }: Examples, rows: Int32Array): Examples {
	return {
		tokens: selectedTokens(tokens, rows),
		targets: targetsOf(targets, tokens.rows, rows),
		lines: rows.map((row) => lines[row] as number),
	};
}

export const rowsOf = ({ tokens }: Examples): number => tokens.rows;

/** Tokens of each row. */
export const lengthsOf = ({ tokens }: Examples): Int32Array => tokens.lengths();

/** The engine reads a row of its embedding for each token: there must be one. Throws ModelError VOCABULARY_MISMATCH. */
export function requireKnownTokens(examples: readonly (Examples | undefined)[], vocabSize: number, folder: string): void {
	const largest = Math.max(...examples.map((each) => each?.tokens.largestId ?? 0));
	if (largest < vocabSize) return;
	throw new ModelError('VOCABULARY_MISMATCH', `The vocabulary of ${folder} has a token ${largest}, but its model knows only ${vocabSize}`);
}

/** A batch of the rows with these numbers, in this order. */
export function pack({ tokens, targets }: Examples, rows: Int32Array): Required<RaggedBatch> {
	return { ...tokens.read(rows), labels: targetsOf(targets, tokens.rows, rows) };
}

/** The targets of some of `count` rows. */
function targetsOf(targets: Targets, count: number, rows: Int32Array): Targets {
	const width = targets.length / count;
	const wanted = targets instanceof Float32Array ? new Float32Array(rows.length * width) : new Int32Array(rows.length * width);
	for (const [index, row] of rows.entries()) wanted.set(targets.subarray(row * width, (row + 1) * width), index * width);
	return wanted;
}
