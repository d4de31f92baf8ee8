/** Rows from a file or from memory, read as they are asked for. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { checkedUtf8, fileBytes } from './data/bytes.js';
import { readCsv } from './data/csv.js';
import { type FileReader, readerFor } from './data/file.js';
import { readJsonl } from './data/jsonl.js';
import { sortedLabels } from './data/labels.js';
import {
	type Columns,
	type DatasetRow,
	type FileRow,
	type Fingerprint,
	labelOf,
	type Origin,
	type Row,
	type RowSource,
	rowError,
	textOf,
} from './data/row.js';
import { heldBack, type SplitOptions } from './data/split.js';
import { ConfigError, DataError } from './errors.js';
import { loadBase } from './runtime/load.js';

/** A .csv or .jsonl file by path or file URL, a Dataset, or rows. */
export type DataInput = string | URL | Dataset | Iterable<Row> | AsyncIterable<Row>;

export interface DatasetOptions {
	/** @default 'text' */
	readonly textColumn?: string;
	/** @default 'label' */
	readonly labelColumn?: string;
}

export interface DatasetStats {
	readonly rows: number;
	/** Rows of each label, in the order a model would have them. */
	readonly labels: Readonly<Record<string, number>>;
	readonly emptyTexts: number;
	/** Length of texts in UTF-16 code units. */
	readonly characters: { readonly min: number; readonly mean: number; readonly max: number };
}

/** How the rows come in: bytes hashed on the way, or rows already in memory. */
type Reader = (hash: (bytes: string | Uint8Array) => void) => AsyncIterable<FileRow | DataError>;

export class Dataset implements RowSource {
	readonly source: string;
	readonly #origin: Origin;
	readonly #read: Reader;
	#fingerprint: Fingerprint | undefined;

	private constructor(origin: Origin, read: Reader) {
		this.source = origin.name;
		this.#origin = origin;
		this.#read = read;
	}

	/** Rows of a CSV file with a header. Nothing is read yet. */
	static fromCsv(file: string | URL, options: DatasetOptions = {}): Dataset {
		return Dataset.#fromFile(pathOf(file), readCsv, columnsOf(options));
	}

	/** Rows of a file with one JSON object a line. Nothing is read yet. */
	static fromJsonl(file: string | URL, options: DatasetOptions = {}): Dataset {
		return Dataset.#fromFile(pathOf(file), readJsonl, columnsOf(options));
	}

	/** Rows from memory; what can be walked only once is kept on the first walk. */
	static fromArray(rows: Iterable<Row> | AsyncIterable<Row>): Dataset {
		let kept: readonly Row[] | undefined = Array.isArray(rows) ? rows : undefined;
		return new Dataset({ name: 'rows in memory', unit: 'Row' }, async function* (hash) {
			kept ??= await collect(rows);
			for (const [index, row] of kept.entries()) {
				hash(`${JSON.stringify([row?.text, row?.label])}\n`);
				yield { line: index + 1, text: row?.text, label: row?.label };
			}
		});
	}

	/** Whatever a `DataInput` may be; a file's kind is told by its ending. */
	static from(input: DataInput, options: DatasetOptions = {}): Dataset {
		if (input instanceof Dataset) return input;
		if (typeof input !== 'string' && !(input instanceof URL)) return Dataset.fromArray(input);
		const path = pathOf(input);
		return Dataset.#fromFile(path, readerFor(path), columnsOf(options));
	}

	static #fromFile(path: string, reader: FileReader, columns: Columns): Dataset {
		const origin: Origin = { name: path, unit: 'Line' };
		return new Dataset(origin, (hash) => reader(checkedUtf8(hashed(fileBytes(path), hash), path), columns, origin));
	}

	get fingerprint(): Fingerprint | undefined {
		return this.#fingerprint;
	}

	/** Checked rows in order. Throws a DataError at the first row that is none. */
	async *[Symbol.asyncIterator](): AsyncGenerator<DatasetRow> {
		const sha256 = createHash('sha256');
		let rows = 0;
		for await (const row of this.#read((bytes) => sha256.update(bytes))) {
			if (row instanceof DataError) throw row;
			rows += 1;
			yield { text: textOf(row, this.#origin), label: labelOf(row, this.#origin), line: row.line };
		}
		if (rows === 0) throw new DataError('NO_ROWS', `There is no row in ${this.source}`, { file: this.source });
		this.#fingerprint = { source: this.source, rows, sha256: sha256.digest('hex') };
	}

	error(code: string, line: number, sentence: string, hint?: string): DataError {
		return rowError(code, this.#origin, line, sentence, hint);
	}

	/** Two data sets in memory, each in the order of this one. The same seed always cuts alike. */
	async split(options: SplitOptions): Promise<{ train: Dataset; test: Dataset }> {
		if (!(options.test > 0 && options.test < 1)) {
			throw new ConfigError('OPTIONS_INVALID', `Expected \`test\` to be a share between 0 and 1, got ${options.test}`);
		}
		const rows = await collect(this);
		const { Generator } = loadBase();
		const held = heldBack(
			rows.map(({ label }) => label),
			new Generator(options.seed ?? 42).permutation(rows.length),
			options,
		);
		return {
			train: Dataset.fromArray(rows.filter((_, row) => held[row] === 0)),
			test: Dataset.fromArray(rows.filter((_, row) => held[row] === 1)),
		};
	}

	async stats(): Promise<DatasetStats> {
		const counts = new Map<string, number>();
		const characters = { min: Number.POSITIVE_INFINITY, sum: 0, max: 0 };
		let rows = 0;
		let emptyTexts = 0;
		for await (const { text, label } of this) {
			rows += 1;
			counts.set(label, (counts.get(label) ?? 0) + 1);
			if (text.trim() === '') emptyTexts += 1;
			characters.min = Math.min(characters.min, text.length);
			characters.max = Math.max(characters.max, text.length);
			characters.sum += text.length;
		}
		return {
			rows,
			labels: Object.fromEntries(sortedLabels(counts.keys()).map((label) => [label, counts.get(label) ?? 0])),
			emptyTexts,
			characters: { min: characters.min, mean: characters.sum / rows, max: characters.max },
		};
	}
}

function pathOf(file: string | URL): string {
	if (typeof file === 'string') return file;
	if (file.protocol === 'file:') return fileURLToPath(file);
	throw new ConfigError('OPTIONS_INVALID', `Expected the address of data to be a file: URL, got ${file.href}`, { hint: 'download the file first' });
}

const columnsOf = ({ textColumn = 'text', labelColumn = 'label' }: DatasetOptions): Columns => ({ text: textColumn, label: labelColumn });

async function* hashed(chunks: AsyncIterable<Buffer>, hash: (bytes: Uint8Array) => void): AsyncGenerator<Buffer> {
	for await (const chunk of chunks) {
		hash(chunk);
		yield chunk;
	}
}

async function collect<T>(rows: Iterable<T> | AsyncIterable<T>): Promise<T[]> {
	const all: T[] = [];
	for await (const row of rows) all.push(row);
	return all;
}
