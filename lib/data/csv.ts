/** CSV as RFC 4180 has it, and TSV, which is CSV with tabs: row by row, with the line each row begins on. */
import { pipeline, Readable } from 'node:stream';

import { DataError } from '../errors.js';
import { ByteWindow, leadingBlankLines, lineBreaks } from './byte-window.js';
import { MAX_ROW_BYTES } from './bytes.js';
import type { RowReader } from './reading.js';
import { type Columns, columnMissing, type FileRow, type Origin, rowError } from './row.js';

interface Parsed {
	readonly record: string[];
	/** `bytes`: offset of the byte after the record and its line break. */
	readonly info: { readonly bytes: number };
}

/** More columns than any table of texts has: a header beyond is another kind of file. */
const MAX_COLUMNS = 10_000;

/**
 * Reads a table with a header whose columns `delimiter` parts. Line breaks may be mixed. A row with another number of fields than
 * the header comes as the DataError it is. A damaged quote ends the reading.
 */
export function csvReader(delimiter: ',' | '\t'): RowReader {
	return async function* readCsv(chunks, columns, origin, keep): AsyncGenerator<FileRow | DataError> {
		const { parse } = await import('csv-parse');
		// Counted where rows are parsed: a damaged row throws away parsed rows that were not yet asked for.
		let parsedTo = 0;
		const parser = parse({
			delimiter,
			record_delimiter: ['\r\n', '\n', '\r'],
			info: true,
			relax_column_count: true,
			skip_empty_lines: true,
			max_record_size: MAX_ROW_BYTES,
			on_record: (record: string[], { bytes }) => {
				parsedTo = bytes;
				return record;
			},
		});
		const window = new ByteWindow();
		// Failures of the source reach the loop below through the parser, which the pipeline destroys with them.
		pipeline(Readable.from(window.through(chunks)), parser, () => {});

		let width = 0;
		let place: { text: number; label: number } | undefined;
		let rows = 0;
		let nextLine = 1;
		try {
			for await (const { record, info } of parser as AsyncIterable<Parsed>) {
				const bytes = window.take(info.bytes);
				const line = nextLine + lineBreaks(bytes.subarray(0, leadingBlankLines(bytes)));
				nextLine += lineBreaks(bytes);
				if (place === undefined) {
					place = placesOf(record, columns, origin, line, delimiter);
					width = record.length;
					keep?.header(bytes);
					continue;
				}
				rows += 1;
				if (record.length === width) {
					const { text, label } = place;
					const original = keep && { bytes, withText: (changed: string) => csvLine(record.with(text, changed), delimiter) };
					yield { line, text: record[text], label: columns.label === undefined ? undefined : record[label], original };
				} else {
					const hint = 'put a field that holds a comma, a quote or a line break between double quotes';
					yield rowError('FIELD_COUNT', origin, line, `expected ${width} fields as in the header, got ${record.length}`, hint);
				}
			}
		} catch (cause) {
			throw cause instanceof DataError ? cause : sentenceFor(cause, origin, nextLine + lineBreaks(window.take(parsedTo)));
		}
		if (place === undefined)
			throw new DataError('FILE_EMPTY', `${origin.name} holds nothing but blank lines: expected a header and rows`, { file: origin.name });
		if (rows === 0) throw new DataError('NO_ROWS', `${origin.name} has a header and no rows`, { file: origin.name });
	};
}

/** A record with its line break. */
export function csvLine(fields: readonly string[], delimiter: string): string {
	const special = new RegExp(`["\\r\\n${delimiter}]`);
	return `${fields.map((field) => (special.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(delimiter)}\n`;
}

function placesOf(header: readonly string[], columns: Columns, origin: Origin, line: number, delimiter: string): { text: number; label: number } {
	if (header.length > MAX_COLUMNS) {
		throw rowError(
			'TOO_MANY_COLUMNS',
			origin,
			line,
			`expected at most ${MAX_COLUMNS} columns, found ${header.length}`,
			'keep the text and the label',
		);
	}
	const wanted = columns.label === undefined ? [columns.text] : [columns.text, columns.label];
	const missing = wanted.filter((name) => !header.includes(name));
	if (missing.length > 0) throw columnMissing(missing, header, origin, line, otherDelimiter(header, delimiter));
	const twice = wanted.find((name) => header.indexOf(name) !== header.lastIndexOf(name));
	if (twice !== undefined) throw rowError('COLUMN_TWICE', origin, line, `the column ${JSON.stringify(twice)} stands there twice`);
	return { text: header.indexOf(columns.text), label: header.indexOf(columns.label ?? '') };
}

/** What to do about a header that seems to be parted by something else. */
function otherDelimiter([only = '', ...others]: readonly string[], delimiter: string): string | undefined {
	if (others.length > 0) return undefined;
	if (delimiter === ',' && only.includes('\t')) return 'its columns seem to be parted by tabs: name it .tsv';
	if (delimiter === '\t' && only.includes(',')) return 'its columns seem to be parted by commas: name it .csv';
	return only.includes(';') ? 'its columns seem to be parted by semicolons: save it with commas' : undefined;
}

function sentenceFor(cause: unknown, origin: Origin, line: number): unknown {
	switch ((cause as { code?: string }).code) {
		case 'CSV_QUOTE_NOT_CLOSED':
			return rowError('QUOTE_NOT_CLOSED', origin, line, 'a double quote opens in this row and is never closed');
		case 'CSV_MAX_RECORD_SIZE':
			return rowError('ROW_TOO_LONG', origin, line, 'the row is longer than 16 MB', 'look for a double quote that is not closed');
		case 'CSV_INVALID_CLOSING_QUOTE':
		case 'INVALID_OPENING_QUOTE':
			return rowError(
				'QUOTE_MISPLACED',
				origin,
				line,
				'a double quote stands inside a field',
				'write a quote inside a field as "" and put the field between double quotes',
			);
		default:
			return cause;
	}
}
