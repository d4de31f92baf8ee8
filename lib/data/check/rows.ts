/** What a check remembers of each row: 85 bytes, whatever the length of its text. */
import { DataError } from '../../errors.js';
import { SIGNATURE_BYTES } from './signature.js';

const PAGE_ROWS = 2 ** 16;
/** Row numbers and 27 bits of a key share a float's 53. */
const ROW_BITS = 26;
export const MAX_ROWS = 2 ** ROW_BITS;
const KEY_RANGE = 2 ** (53 - ROW_BITS);

/** Bits of what was found of a row. */
export const Mark = {
	/** There is nothing in its text. */
	Empty: 1,
	/** Its text is too short to be like another. */
	Unsigned: 2,
	/** A row before it in the same data is the same to the letter, label and all. */
	Copy: 4,
	/** Its text, apart from case and spacing, stands in the other data too. */
	Leaked: 8,
	/** Its text has been seen before: it is not compared again. */
	Repeated: 16,
	/** It is like a row before it in the same data. */
	Alike: 32,
	/** It is like a row of the first data, and itself of the second. */
	AlikeOther: 64,
} as const;

type Page = Uint32Array | Uint8Array;

/** An array that grows a page at a time, so that growing never copies what is there. */
class Paged<P extends Page> {
	readonly #pages: P[] = [];
	readonly #make: () => P;
	readonly #width: number;

	constructor(width: number, make: (length: number) => P) {
		this.#width = width;
		this.#make = () => make(width * PAGE_ROWS);
	}

	at(row: number): number {
		return this.#pages[Math.floor(row / PAGE_ROWS)]?.[row % PAGE_ROWS] ?? 0;
	}

	set(row: number, value: number): void {
		this.page(row)[row % PAGE_ROWS] = value;
	}

	/** The page a row lies on, made where it is not there. */
	page(row: number): P {
		const index = Math.floor(row / PAGE_ROWS);
		this.#pages[index] ??= this.#make();
		return this.#pages[index] as P;
	}

	/** A row of several places. */
	places(row: number): P {
		const start = (row % PAGE_ROWS) * this.#width;
		return this.page(row).subarray(start, start + this.#width) as P;
	}
}

const numbers = () => new Paged(1, (length) => new Uint32Array(length));

/** Rows of the first data, then of the second, by number from 0. */
export class Rows {
	length = 0;
	/** Of the normalised text. */
	readonly hash = numbers();
	readonly hash2 = numbers();
	/** Of text and label as they stand. */
	readonly exact = numbers();
	readonly line = numbers();
	/** Index among the labels found, or of a set of them. */
	readonly label = numbers();
	readonly marks = new Paged(1, (length) => new Uint8Array(length));
	readonly signature = new Paged(SIGNATURE_BYTES, (length) => new Uint8Array(length));

	/** Makes room for one more; throws TOO_MANY_ROWS. */
	add(source: string): number {
		if (this.length === MAX_ROWS)
			throw new DataError('TOO_MANY_ROWS', `Expected at most ${MAX_ROWS} rows, found more in ${source}`, { file: source });
		this.length += 1;
		return this.length - 1;
	}

	has(row: number, mark: number): boolean {
		return (this.marks.at(row) & mark) !== 0;
	}

	mark(row: number, mark: number): void {
		this.marks.set(row, this.marks.at(row) | mark);
	}

	/**
	 * Rows that share a key of 32 bits, of those that have one, in order; a run may hold a few strangers, since only 27 of the bits
	 * are compared. Sorts numbers, so the time is n log n and the memory 8 bytes a row.
	 */
	*runs(keyOf: (row: number) => number | undefined): Generator<number[]> {
		const packed = new Float64Array(this.length);
		let count = 0;
		for (let row = 0; row < this.length; row++) {
			const key = keyOf(row);
			if (key === undefined) continue;
			packed[count] = (key % KEY_RANGE) * MAX_ROWS + row;
			count += 1;
		}
		const sorted = packed.subarray(0, count).sort();
		for (let start = 0; start < count; ) {
			const key = Math.floor((sorted[start] as number) / MAX_ROWS);
			let end = start + 1;
			while (end < count && Math.floor((sorted[end] as number) / MAX_ROWS) === key) end += 1;
			if (end - start > 1) yield Array.from(sorted.subarray(start, end), (value) => value % MAX_ROWS);
			start = end;
		}
	}
}
