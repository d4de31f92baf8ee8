/** One data set, walked once: what is counted on the way, and what is remembered of each row. */
import { DataError } from '../../errors.js';
import type { Format, Reading } from '../reading.js';
import { type Columns, type FileRow, type Origin, placeOf, textOf } from '../row.js';
import { troublesOf } from './encoding.js';
import { WordTally } from './giveaway.js';
import { type LabelIndex, labelsOf } from './labels.js';
import { LengthTally, type TokenCounter } from './lengths.js';
import { oddityOf } from './odd.js';
import { Mark, type Rows } from './rows.js';
import { sign } from './signature.js';
import { type Example, Tally } from './tally.js';
import { digestOf, normalised, wordsOf } from './text.js';

/** Data that can be walked again and again, rows that are none included. */
export interface Walkable {
	readonly origin: Origin;
	/** undefined for rows from memory. */
	readonly format: Format['name'] | undefined;
	readonly columns: Columns;
	walk(asked: Pick<Reading, 'onNotUtf8' | 'keep'>): AsyncIterable<FileRow | DataError>;
}

export interface Side {
	readonly data: Walkable;
	/** Numbers of its rows: [first, end). */
	readonly first: number;
	readonly end: number;
	/** Rows of each label, by its index. */
	readonly labelRows: readonly number[];
	/** By code of the finding. */
	readonly tallies: ReadonlyMap<string, Tally>;
	readonly lengths: LengthTally;
	readonly words: WordTally;
	/** What ended the reading before the data did. */
	readonly endedBy: DataError | undefined;
	/** The first file that is not UTF-8. */
	readonly notUtf8: { readonly file: string; readonly offset: number | undefined } | undefined;
}

/** Longest row a model reads by default. */
export const DEFAULT_MAX_LENGTH = 512;

/** Texts whose tokens are counted at once. */
const AT_ONCE = 512;

interface Waiting extends Pick<Example, 'line' | 'label' | 'file'> {
	readonly text: string;
}

/** Walks the data and remembers its rows. Throws where there is none that can be read. */
export async function walkSide(data: Walkable, rows: Rows, labels: LabelIndex, counter: TokenCounter): Promise<Side> {
	const { origin } = data;
	const first = rows.length;
	const tallies = new Map<string, Tally>();
	const lengths = new LengthTally();
	const words = new WordTally();
	const labelRows: number[] = [];
	let notUtf8: Side['notUtf8'];
	let endedBy: DataError | undefined;
	let waiting: Waiting[] = [];
	let unreadable: DataError | undefined;

	const tally = (code: string): Tally => {
		const known = tallies.get(code) ?? new Tally();
		tallies.set(code, known);
		return known;
	};
	// Counted on a thread of the tokenizer's own while the next rows are read.
	let measured = Promise.resolve();
	const measure = async (texts: readonly Waiting[]) => {
		const counts = await counter.count(texts.map(({ text }) => text));
		for (const [index, { line, text, label, file }] of texts.entries()) {
			const tokens = counts[index] as number;
			lengths.add(tokens);
			if (tokens > DEFAULT_MAX_LENGTH) tally('TEXT_TRUNCATED').add(line, text, { label, file });
		}
	};
	const measureWaiting = async () => {
		await measured;
		measured = measure(waiting);
		measured.catch(() => {}); // a failure is met where it is awaited
		waiting = [];
	};

	try {
		for await (const row of data.walk({ onNotUtf8: (file, offset) => (notUtf8 ??= { file, offset }) })) {
			const read = row instanceof DataError ? row : contentOf(row, origin);
			if (read instanceof DataError) {
				unreadable ??= read;
				const line = read.line ?? 0;
				tally('ROW_UNREADABLE').add(line, read.message.replace(placeOf(origin, line), ''), {
					file: read.file === origin.name ? undefined : read.file,
				});
				continue;
			}
			const { line, text, file } = read;
			const plain = normalised(text);
			const set = labels.setOf(read.labels);
			remember(rows, origin.name, line, text, plain, set, read.labels);
			for (const label of labels.sets[set] ?? []) labelRows[label] = (labelRows[label] ?? 0) + 1;
			const shown = { label: labels.nameOf(set), file };
			for (const code of [oddityOf(text), ...troublesOf(text)]) if (code !== undefined) tally(code).add(line, text, shown);
			const found = new Set(wordsOf(plain));
			for (const label of labels.sets[set] ?? []) words.add(found, label);
			waiting.push({ line, text, ...shown });
			if (waiting.length === AT_ONCE) await measureWaiting();
		}
	} catch (error) {
		if (!(error instanceof DataError) || rows.length === first) throw error;
		endedBy = error;
	}
	if (rows.length === first && unreadable !== undefined) throw unreadable;
	await measureWaiting();
	await measured;
	return { data, first, end: rows.length, labelRows, tallies, lengths, words, endedBy, notUtf8 };
}

interface Content {
	readonly line: number;
	readonly text: string;
	readonly labels: readonly string[];
	readonly file: string | undefined;
}

/** Text and labels of a row, or why it has none. */
export function contentOf(row: FileRow, origin: Origin): Content | DataError {
	try {
		return { line: row.line, text: textOf(row, origin), labels: labelsOf(row, origin), file: row.file };
	} catch (error) {
		if (error instanceof DataError) return error;
		throw error;
	}
}

function remember(rows: Rows, source: string, line: number, text: string, plain: string, set: number, labels: readonly string[]): void {
	const row = rows.add(source);
	const { first, second } = digestOf(plain);
	rows.hash.set(row, first);
	rows.hash2.set(row, second);
	rows.exact.set(row, digestOf(JSON.stringify([text, ...labels])).first);
	rows.line.set(row, line);
	rows.label.set(row, set);
	if (plain === '') rows.mark(row, Mark.Empty);
	else if (!sign(plain, rows.signature.places(row))) rows.mark(row, Mark.Unsigned);
}
