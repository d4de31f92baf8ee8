/** Rows from a file or from memory, read as they are asked for. */
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { fileBytes } from './data/bytes.js';
import { checkData } from './data/check/check.js';
import { estimate, type TokenCounter } from './data/check/lengths.js';
import { repair } from './data/check/repair.js';
import type { DataReport } from './data/check/report.js';
import { csv, folder, formatOf, jsonl, parquet, tsv } from './data/file.js';
import { sortedLabels } from './data/labels.js';
import { MemoryRows } from './data/memory.js';
import type { Format, Reading } from './data/reading.js';
import {
	type DatasetRow,
	type FileRow,
	type Fingerprint,
	labelOf,
	labelsOf,
	type Origin,
	type Row,
	type RowSource,
	rowError,
	textOf,
} from './data/row.js';
import { heldBack, type SplitOptions } from './data/split.js';
import { isGzip } from './data/stored.js';
import { ConfigError, DataError, ModelError, RuntimeUnavailableError } from './errors.js';
import { loadBase } from './runtime/load.js';
import { Tokenizer } from './tokenizer.js';

/** A file or folder of rows by path or file URL, a Dataset, or rows. */
export type DataInput = string | URL | Dataset | Iterable<Row> | AsyncIterable<Row>;

export interface DatasetOptions {
	/** @default 'text' */
	readonly textColumn?: string;
	/** @default 'label' */
	readonly labelColumn?: string;
	/** What stands between the labels of a file's row where they are one text; blanks around them go. @default none: a text is one label */
	readonly labelSeparator?: string | undefined;
	/** Most bytes that may come out of what is compressed. @default 64 GiB of gzip, 4 GiB of Parquet */
	readonly maxDecodedBytes?: number | undefined;
}

export interface CheckOptions {
	/** Model whose tokenizer counts tokens, by name or folder. @default minilm-l6 where it is found, else tokens are estimated from words */
	readonly model?: string | undefined;
	/** File the repaired rows go to, in the format of this data; JSON lines (.jsonl) where that is no file of text. @default none */
	readonly fix?: string | undefined;
}

export interface DatasetStats {
	readonly rows: number;
	/** Rows of each label, in the order a model would have them. */
	readonly labels: Readonly<Record<string, number>>;
	readonly emptyTexts: number;
	/** Length of texts in UTF-16 code units. */
	readonly characters: { readonly min: number; readonly mean: number; readonly max: number };
}

/** How the rows come in. */
type Walk = (asked: Pick<Reading, 'hash' | 'onNotUtf8' | 'keep'>) => AsyncIterable<FileRow | DataError>;

/** What is known of the data besides. */
interface Kind {
	readonly format: Format['name'] | undefined;
	readonly columns: { readonly text: string; readonly label: string };
	readonly labelSeparator?: string | undefined;
	/** Whether repeated rows are left out. */
	readonly deduped?: boolean;
	/** The one file the rows come from, whose bytes are what is hashed. */
	readonly file?: string | undefined;
	readonly memory?: MemoryRows;
}

const IN_MEMORY: Origin = { name: 'rows in memory', unit: 'Row' };
const MEMORY_COLUMNS = { text: 'text', label: 'label' };

export class Dataset implements RowSource {
	readonly source: string;
	readonly #origin: Origin;
	readonly #walk: Walk;
	readonly #kind: Kind;
	#fingerprint: Fingerprint | undefined;

	private constructor(origin: Origin, walk: Walk, kind: Kind) {
		this.source = origin.name;
		this.#origin = origin;
		this.#walk = walk;
		this.#kind = kind;
	}

	/** Rows of a CSV file with a header, or of a TSV file (.tsv), gzip or not (.gz). Nothing is read yet. */
	static fromCsv(file: string | URL, options: DatasetOptions = {}): Dataset {
		const path = pathOf(file);
		return Dataset.#fromFile(path, /\.tsv(\.gz)?$/i.test(path) ? tsv : csv, options);
	}

	/** Rows of a file with one JSON object a line, gzip or not (.gz). Nothing is read yet. */
	static fromJsonl(file: string | URL, options: DatasetOptions = {}): Dataset {
		return Dataset.#fromFile(pathOf(file), jsonl, options);
	}

	/** Rows of a Parquet file: texts from a column of strings, labels from one of strings, numbers, booleans or lists. Nothing is read yet. */
	static fromParquet(file: string | URL, options: DatasetOptions = {}): Dataset {
		return Dataset.#fromFile(pathOf(file), parquet, options);
	}

	/** Rows of a folder with a folder for each label: FOLDER/LABEL/*.txt. Nothing is read yet. */
	static fromFolder(path: string | URL): Dataset {
		return Dataset.#fromFile(pathOf(path), folder, {});
	}

	/** Rows from memory; of what can be walked only once the rows are kept on the first walk, where they are no more than 128 MB of text. */
	static fromArray(rows: Iterable<Row> | AsyncIterable<Row>): Dataset {
		const memory = new MemoryRows(rows);
		return new Dataset(IN_MEMORY, ({ hash }) => memory.walk(hash), { format: undefined, columns: MEMORY_COLUMNS, memory });
	}

	/** Whatever a `DataInput` may be; a file's kind is told by its ending, also before .gz. Throws FORMAT_UNKNOWN. */
	static from(input: DataInput, options: DatasetOptions = {}): Dataset {
		if (input instanceof Dataset) return input;
		if (typeof input !== 'string' && !(input instanceof URL)) return Dataset.fromArray(input);
		const path = pathOf(input);
		return Dataset.#fromFile(path, formatOf(path), options);
	}

	static #fromFile(path: string, format: Format, options: DatasetOptions): Dataset {
		const { textColumn = 'text', labelColumn = 'label', labelSeparator, maxDecodedBytes } = options;
		const columns = { text: textColumn, label: labelColumn };
		const walk: Walk = (asked) => format.rows(path, { columns, maxDecodedBytes, ...asked });
		return new Dataset({ name: path, unit: format.unit }, walk, {
			format: format.name,
			columns,
			labelSeparator,
			file: format === folder ? undefined : path,
		});
	}

	get unit(): Origin['unit'] {
		return this.#origin.unit;
	}

	get fingerprint(): Fingerprint | undefined {
		return this.#fingerprint;
	}

	get inMemory(): boolean {
		return this.#kind.memory !== undefined;
	}

	get recipe(): unknown {
		const { format = null, columns, labelSeparator = null, deduped = false, file = '' } = this.#kind;
		return { format, gzip: isGzip(file), columns, labelSeparator, deduped };
	}

	async contentHash(stopIfAborted: () => void): Promise<string> {
		const { memory, file } = this.#kind;
		if (memory?.gone && this.#fingerprint !== undefined) return this.#fingerprint.sha256;
		const sha256 = createHash('sha256');
		const hash = (bytes: string | Uint8Array) => sha256.update(bytes);
		if (file === undefined) for await (const _ of this.#walk({ hash })) stopIfAborted();
		else
			for await (const bytes of fileBytes(file)) {
				stopIfAborted();
				hash(bytes);
			}
		return sha256.digest('hex');
	}

	/** Checked rows in order. Throws a DataError at the first row that is none. */
	async *[Symbol.asyncIterator](): AsyncGenerator<DatasetRow> {
		const sha256 = createHash('sha256');
		let rows = 0;
		for await (const row of this.#walk({ hash: (bytes) => sha256.update(bytes) })) {
			if (row instanceof DataError) throw row;
			rows += 1;
			const labels = labelsOf(row, this.#origin, this.#kind.labelSeparator);
			const label = labels === undefined ? labelOf(row, this.#origin) : JSON.stringify(labels);
			yield { text: textOf(row, this.#origin), label, labels, line: row.line, file: row.file };
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
		const part = (flag: number) => rows.filter((_, row) => held[row] === flag).map(({ text, label, labels }) => ({ text, label: labels ?? label }));
		return { train: Dataset.fromArray(part(0)), test: Dataset.fromArray(part(1)) };
	}

	/** The same rows without those that repeat an earlier one to the letter, label and all. Reads as it is walked; keeps a hash of each row. */
	dedupe(): Dataset {
		const walk = this.#walk;
		return new Dataset(
			this.#origin,
			async function* (asked) {
				const seen = new SeenRows();
				for await (const row of walk(asked)) if (row instanceof DataError || seen.isNew(row)) yield row;
			},
			{ ...this.#kind, deduped: true },
		);
	}

	/**
	 * What is wrong or odd with the rows, alone or against other data that is to measure what was learned from these. Reads both twice.
	 * Throws where data cannot be read at all; rows that cannot be are among the findings.
	 */
	async check(other?: DataInput, { model, fix }: CheckOptions = {}): Promise<DataReport> {
		const { text, label } = this.#kind.columns;
		const against = other === undefined ? undefined : Dataset.from(other, { textColumn: text, labelColumn: label }).#walkable;
		const { counter, dispose } = await tokenCounter(model);
		try {
			const checked = await checkData(this.#walkable, against, counter);
			return fix === undefined ? checked.report : { ...checked.report, repairs: await repair(checked, fix) };
		} finally {
			dispose();
		}
	}

	get #walkable() {
		return { origin: this.#origin, walk: this.#walk, ...this.#kind };
	}

	async stats(): Promise<DatasetStats> {
		const counts = new Map<string, number>();
		const characters = { min: Number.POSITIVE_INFINITY, sum: 0, max: 0 };
		let rows = 0;
		let emptyTexts = 0;
		for await (const { text, label, labels = [label] } of this) {
			rows += 1;
			for (const each of labels) counts.set(each, (counts.get(each) ?? 0) + 1);
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

async function collect<T>(rows: Iterable<T> | AsyncIterable<T>): Promise<T[]> {
	const all: T[] = [];
	for await (const row of rows) all.push(row);
	return all;
}

/** Hashes of rows, in many sets: one holds 16 million entries at most. */
class SeenRows {
	readonly #sets = Array.from({ length: 256 }, () => new Set<string>());

	isNew({ text, label }: FileRow): boolean {
		const digest = createHash('sha256')
			.update(JSON.stringify([text, label]))
			.digest();
		const set = this.#sets[digest[0] as number] as Set<string>;
		const before = set.size;
		return set.add(digest.toString('latin1', 1, 13)).size > before;
	}
}

/** What counts tokens: the tokenizer of the model that was asked for, else of the embedded body, else of none. */
async function tokenCounter(model: string | undefined): Promise<{ counter: TokenCounter; dispose: () => void }> {
	try {
		const tokenizer = await Tokenizer.load(model ?? 'minilm-l6');
		const count = async (texts: readonly string[]) => {
			const { offsets } = await tokenizer.encodeBatch(texts);
			return offsets.subarray(1).map((end, row) => end - (offsets[row] as number));
		};
		return { counter: { name: model ?? 'minilm-l6', count }, dispose: () => tokenizer.dispose() };
	} catch (error) {
		if (model !== undefined || !(error instanceof ModelError || error instanceof RuntimeUnavailableError)) throw error;
		return { counter: estimate, dispose: () => {} };
	}
}
