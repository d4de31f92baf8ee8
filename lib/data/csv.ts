/** CSV as RFC 4180 has it, row by row, with the line each row begins on. */
import { pipeline, Readable } from 'node:stream';

import { DataError } from '../errors.js';
import { MAX_ROW_BYTES } from './bytes.js';
import { type Columns, columnMissing, type FileRow, type Origin, rowError } from './row.js';

interface Parsed {
	readonly record: string[];
	/** `lines`: line the record ends on. */
	readonly info: { readonly lines: number };
}

/** Rows of the file; a row with another number of fields than the header comes as the DataError it is. A damaged quote ends the reading. */
export async function* readCsv(chunks: AsyncIterable<Buffer>, columns: Columns, origin: Origin): AsyncGenerator<FileRow | DataError> {
	const { parse } = await import('csv-parse');
	// Counted where rows are parsed: a damaged row throws away parsed rows that were not yet asked for.
	let parsedTo = 0;
	const parser = parse({
		info: true,
		relax_column_count: true,
		skip_empty_lines: true,
		max_record_size: MAX_ROW_BYTES,
		on_record: (record: string[], { lines }) => {
			parsedTo = lines;
			return record;
		},
	});
	// Failures of the source reach the loop below through the parser, which the pipeline destroys with them.
	pipeline(Readable.from(chunks), parser, () => {});

	let width = 0;
	let place: { text: number; label: number } | undefined;
	let rows = 0;
	let lastLine = 0;
	try {
		for await (const { record, info } of parser as AsyncIterable<Parsed>) {
			const line = lastLine + 1;
			lastLine = info.lines;
			if (place === undefined) {
				place = placesOf(record, columns, origin, line);
				width = record.length;
			} else if (record.length === width) {
				rows += 1;
				yield { line, text: record[place.text], label: columns.label === undefined ? undefined : record[place.label] };
			} else {
				rows += 1;
				const hint = 'put a field that holds a comma, a quote or a line break between double quotes';
				yield rowError('FIELD_COUNT', origin, line, `expected ${width} fields as in the header, got ${record.length}`, hint);
			}
		}
	} catch (cause) {
		throw cause instanceof DataError ? cause : sentenceFor(cause, origin, parsedTo + 1);
	}
	if (place === undefined)
		throw new DataError('FILE_EMPTY', `${origin.name} holds nothing but blank lines: expected a header and rows`, { file: origin.name });
	if (rows === 0) throw new DataError('NO_ROWS', `${origin.name} has a header and no rows`, { file: origin.name });
}

function placesOf(header: readonly string[], columns: Columns, origin: Origin, line: number): { text: number; label: number } {
	const wanted = columns.label === undefined ? [columns.text] : [columns.text, columns.label];
	const missing = wanted.filter((name) => !header.includes(name));
	if (missing.length > 0) throw columnMissing(missing, header, origin, line);
	const twice = wanted.find((name) => header.indexOf(name) !== header.lastIndexOf(name));
	if (twice !== undefined) throw rowError('COLUMN_TWICE', origin, line, `the column ${JSON.stringify(twice)} stands there twice`);
	return { text: header.indexOf(columns.text), label: header.indexOf(columns.label ?? '') };
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
