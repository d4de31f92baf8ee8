/** What a row is, from outside and inside. */
import { DataError } from '../errors.js';

/** One label, a list of labels for `multi_label_classification`, or a number for `regression`. */
export type Label = string | number | boolean | readonly string[] | readonly number[];

/** One text and what it is. */
export interface Row {
	readonly text: string;
	readonly label: Label;
}

/** A row as a Dataset gives it: checked, its label as text. */
export interface DatasetRow {
	readonly text: string;
	/** Of a list, its JSON. */
	readonly label: string;
	/** Given where the label is a list: what is in it, each once. */
	readonly labels?: readonly string[] | undefined;
	/** 1-based line of the file it begins on; for rows from memory, of a Parquet file or of a folder its 1-based number. */
	readonly line: number;
	/** Where each row of a folder is a file of its own: its path. */
	readonly file?: string | undefined;
}

/** What was read, so that a run can be told from a run on other rows. */
export interface Fingerprint {
	readonly source: string;
	readonly rows: number;
	/** Of the file's bytes; for rows from memory, of one JSON array [text, label] a line. */
	readonly sha256: string;
}

/** Rows that can be walked, as the stages after them see a Dataset. */
export interface RowSource extends AsyncIterable<DatasetRow> {
	/** Path of the file, or 'rows in memory'. */
	readonly source: string;
	/** What `line` counts there. */
	readonly unit: Origin['unit'];
	/** Known once all rows have been walked. */
	readonly fingerprint: Fingerprint | undefined;
	/** Whether the rows come from a program, texts and all; else from files. */
	readonly inMemory: boolean;
	/** What decides, beside the content, which rows are read of it: as JSON has it. */
	readonly recipe: unknown;
	/** The fingerprint's SHA-256 without reading rows where that is possible. `stopIfAborted` is asked now and then; throws to end it. */
	contentHash(stopIfAborted: () => void): Promise<string>;
	/** The refusal of one row. */
	error(code: string, line: number, sentence: string, hint?: string): DataError;
}

/** A row as a file has it, before text and label are looked at. */
export interface FileRow {
	readonly line: number;
	readonly text: unknown;
	readonly label: unknown;
	readonly file?: string | undefined;
	/** Given where it was asked for. */
	readonly original?: Original | undefined;
}

/** A row as it stands in its file, to be written again. */
export interface Original {
	/** Everything between the row before and the row after, the row's own line break included. */
	readonly bytes: Uint8Array;
	/** The same row with another text. */
	withText(text: string): string;
}

/** Columns or keys to read. Without `label`, labels are neither needed nor read. */
export interface Columns {
	readonly text: string;
	readonly label?: string | undefined;
}

/** Where rows come from, as errors name it. */
export interface Origin {
	readonly name: string;
	/** What `line` counts: lines of a file of text, else rows, else the files of a folder. */
	readonly unit: 'Line' | 'Row' | 'File';
}

/** Where a row is, as the sentence about it begins. */
export const placeOf = (origin: Origin, line: number): string => `${origin.unit} ${line} of ${origin.name}: `;

/** A refusal that belongs to one row. */
export function rowError(code: string, origin: Origin, line: number, sentence: string, hint?: string): DataError {
	return new DataError(code, placeOf(origin, line) + sentence, { file: origin.name, line, hint });
}

/** The text of a row, or why it has none. */
export function textOf(row: FileRow, origin: Origin): string {
	if (typeof row.text === 'string') return row.text;
	throw rowError('TEXT_INVALID', origin, row.line, `expected the text to be a string, got ${describe(row.text)}`);
}

/** The label of a row as text: 1 is '1', true is 'true'. */
export function labelOf(row: FileRow, origin: Origin): string {
	const { label, line } = row;
	if (typeof label === 'number' ? Number.isFinite(label) : typeof label === 'string' || typeof label === 'boolean') {
		const text = String(label);
		if (text === '') throw rowError('LABEL_INVALID', origin, line, 'the label is empty');
		if (text.includes('\0')) throw rowError('LABEL_INVALID', origin, line, `the label ${JSON.stringify(text)} holds a NUL byte`);
		return text;
	}
	throw rowError('LABEL_INVALID', origin, line, `expected the label to be a string, a number or true or false, got ${describe(label)}`);
}

/** What is in the label of a row where that is a list, or a text that `separator` parts: an empty text holds nothing. */
export function labelsOf(row: FileRow, origin: Origin, separator: string | undefined): string[] | undefined {
	const parts = separator !== undefined && typeof row.label === 'string' ? parted(row.label, separator) : row.label;
	if (!Array.isArray(parts)) return undefined;
	const labels = parts.map((label: unknown) => labelOf({ ...row, label }, origin));
	const twice = labels.find((label, index) => labels.indexOf(label) !== index);
	if (twice === undefined) return labels;
	const hint = 'name each label of a row once; marks of 0 and 1 for every label are not read';
	throw rowError('LABEL_INVALID', origin, row.line, `the label ${JSON.stringify(twice)} stands there twice`, hint);
}

const parted = (text: string, separator: string): string[] => (text.trim() === '' ? [] : text.split(separator).map((part) => part.trim()));

function describe(value: unknown): string {
	if (value === undefined) return 'nothing';
	if (Array.isArray(value)) return 'a list';
	return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

// A header may have thousands of columns.
const NAMES_SHOWN = 20;

/** The refusal where a column that was asked for is not there. */
export function columnMissing(missing: readonly string[], present: readonly string[], origin: Origin, line: number, hint?: string): DataError {
	const names = (list: readonly string[]) =>
		list
			.slice(0, NAMES_SHOWN)
			.map((name) => JSON.stringify(name.slice(0, 100)))
			.join(', ') + (list.length > NAMES_SHOWN ? ` and ${list.length - NAMES_SHOWN} more` : '');
	const sentence = `expected ${missing.length === 1 ? 'a column' : 'columns'} ${names(missing)}, found ${present.length === 0 ? 'none' : names(present)}`;
	return rowError(
		'COLUMN_MISSING',
		origin,
		line,
		sentence,
		hint ?? 'name the columns with textColumn and labelColumn (--text-column, --label-column)',
	);
}
