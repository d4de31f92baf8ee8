/** Rows that a program hands over. */
import { DataError } from '../errors.js';
import type { FileRow, Row } from './row.js';

/** Of rows that may come only once, so much is kept for a second reading, in UTF-16 code units; each row counts for some. */
const KEPT_UNITS = 64 * 2 ** 20;
const UNITS_A_ROW = 64;

/**
 * Walks an array again and again. Anything else is walked once, as it comes: its rows are kept beside, and walked again, where they are few
 * (128 MB of text); of more nothing is kept, so that memory does not grow with them.
 */
export class MemoryRows {
	readonly #rows: Iterable<Row> | AsyncIterable<Row>;
	#kept: readonly Row[] | undefined;
	#begun = false;

	constructor(rows: Iterable<Row> | AsyncIterable<Row>) {
		this.#rows = rows;
		if (Array.isArray(rows)) this.#kept = rows;
	}

	/** Whether the rows came and are gone. */
	get gone(): boolean {
		return this.#begun && this.#kept === undefined;
	}

	/** `hash` is told each row as one JSON array a line. Throws DataError ROWS_GONE where they cannot be walked again. */
	async *walk(hash: ((line: string) => void) | undefined): AsyncGenerator<FileRow> {
		let line = 0;
		for await (const row of this.#kept ?? this.#firstWalk()) {
			line += 1;
			hash?.(`${JSON.stringify([row?.text, row?.label])}\n`);
			yield { line, text: row?.text, label: row?.label };
		}
	}

	async *#firstWalk(): AsyncGenerator<Row> {
		if (this.#begun) {
			throw new DataError('ROWS_GONE', 'Expected rows that can be read again, but they came from an iterable that was read before', {
				hint: 'pass an array, or write the rows to a file and name that',
			});
		}
		this.#begun = true;
		let kept: Row[] | undefined = [];
		let units = 0;
		for await (const row of this.#rows) {
			units += UNITS_A_ROW + (typeof row?.text === 'string' ? row.text.length : 0);
			if (units > KEPT_UNITS) kept = undefined;
			kept?.push(row);
			yield row;
		}
		this.#kept = kept;
	}
}
