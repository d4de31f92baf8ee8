/** The safe repairs: rows dropped that say nothing new, and damage undone that is certain. Labels are never touched. */
import { stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';

import { ConfigError, DataError } from '../../errors.js';
import { formatOf } from '../file.js';
import type { FileRow } from '../row.js';
import { isGzip } from '../stored.js';
import { openWholeFile } from '../whole-file.js';
import type { Checked } from './check.js';
import { mended } from './encoding.js';
import type { Repairs } from './report.js';
import { Mark } from './rows.js';
import { contentOf, type Side, type Walkable } from './side.js';
import { Tally } from './tally.js';

/**
 * Writes the first data again to `output`, in its own format: rows that stay stand there as they did, other columns included. Data
 * that is no file of text becomes JSON lines. Throws what ended the reading early, NOT_UTF8, and OUTPUT_NOT_WRITABLE.
 */
export async function repair({ rows, sides }: Checked, output: string): Promise<Repairs> {
	const side = sides[0] as Side;
	const { data, first, end, endedBy, notUtf8 } = side;
	const frame = FRAMES[await outputFormat(data, output)] ?? LINES;
	if (endedBy !== undefined) throw endedBy;
	if (notUtf8 !== undefined) {
		const hint = 'save it as UTF-8 first, for example with: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW';
		throw new DataError('NOT_UTF8', `${notUtf8.file} is not UTF-8: what its characters were is not known`, { file: notUtf8.file, hint });
	}
	const tallies = { copies: new Tally(), empty: new Tally(), leaked: new Tally(), unreadable: new Tally(), mended: new Tally() };
	let written = 0;

	async function* pieces(): AsyncGenerator<string | Uint8Array> {
		let row = first;
		const waiting: Uint8Array[] = [];
		yield frame.head;
		for await (const each of data.walk({ onNotUtf8: () => {}, keep: { header: (bytes) => void waiting.push(bytes) } })) {
			yield* waiting.splice(0);
			const read = each instanceof DataError ? each : contentOf(each, data.origin);
			if (each instanceof DataError || read instanceof DataError) {
				tallies.unreadable.add((read as DataError).line ?? 0, '');
				continue;
			}
			if (row === end) break; // what has been added since was not checked
			const why = rows.has(row, Mark.Empty) ? 'empty' : rows.has(row, Mark.Leaked) ? 'leaked' : rows.has(row, Mark.Copy) ? 'copies' : undefined;
			row += 1;
			if (why !== undefined) {
				tallies[why].add(read.line, '');
				continue;
			}
			const text = mended(read.text);
			if (text !== read.text) tallies.mended.add(read.line, '');
			if (written > 0) yield frame.between;
			written += 1;
			yield asWritten(each, text, data);
		}
		if (written === 0) throw new DataError('NO_ROWS', `No row of ${data.origin.name} would be left`, { file: data.origin.name });
		yield frame.tail;
	}

	await writeWhole(output, pieces());
	const { mended: read, ...dropped } = tallies;
	const shown = ({ count, lines }: Tally) => ({ count, lines });
	return {
		output,
		rows: written,
		dropped: { copies: shown(dropped.copies), empty: shown(dropped.empty), leaked: shown(dropped.leaked), unreadable: shown(dropped.unreadable) },
		mended: shown(read),
	};
}

const LINES = { head: '', between: '', tail: '' };
/** What stands around rows and between them. */
const FRAMES: Partial<Readonly<Record<string, typeof LINES>>> = { JSON: { head: '[\n', between: ',\n', tail: '\n]\n' } };

function asWritten({ text, label, original }: FileRow, mendedText: string, { columns }: Walkable): string | Uint8Array {
	if (original === undefined) return `${JSON.stringify({ [columns.text]: mendedText, [columns.label as string]: label })}\n`;
	return mendedText === text ? original.bytes : original.withText(mendedText);
}

/** The format to write: that of the data, or JSON lines where it is no file of text. Refuses any other, and the data itself. */
async function outputFormat({ format, origin }: Walkable, output: string): Promise<string> {
	const isText = format !== undefined && format !== 'Parquet' && format !== 'folder';
	const wanted = isText ? format : 'JSON lines';
	const named = formatOf(output).name;
	if (named !== wanted) {
		throw new ConfigError('OPTIONS_INVALID', `Expected the repaired rows of ${origin.name} to go to a file of ${wanted}, got ${output}`, {
			hint: isText ? 'let its name end like that of the data' : 'let its name end in .jsonl',
		});
	}
	const [from, to] = await Promise.all([origin.name, output].map((path) => stat(path).catch(() => undefined)));
	if (from === undefined || to === undefined || from.ino !== to.ino || from.dev !== to.dev) return named;
	throw new ConfigError('OPTIONS_INVALID', `Expected another file than ${origin.name} for its repaired rows`, {
		hint: 'the data is never written over',
	});
}

async function writeWhole(output: string, pieces: AsyncIterable<string | Uint8Array>): Promise<void> {
	const file = await openWholeFile(
		output,
		(cause) => new ConfigError('OUTPUT_NOT_WRITABLE', `Could not write ${output}: ${cause.message}`, { cause, hint: 'name another file with --fix' }),
	);
	try {
		for await (const portion of isGzip(output) ? gzipped(portions(pieces)) : portions(pieces)) await file.write(portion);
		await file.commit();
	} finally {
		await file.discard();
	}
}

async function* gzipped(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
	const gzip = createGzip();
	// Failures of the source reach who walks this through gzip, which the pipeline destroys with them.
	pipeline(Readable.from(pieces), gzip, () => {});
	yield* gzip as AsyncIterable<Uint8Array>;
}

const PORTION_BYTES = 2 ** 16;

/** Joined, so that a row is no write of its own. */
async function* portions(pieces: AsyncIterable<string | Uint8Array>): AsyncGenerator<Uint8Array> {
	let waiting: Uint8Array[] = [];
	let length = 0;
	for await (const piece of pieces) {
		const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece;
		waiting.push(bytes);
		length += bytes.length;
		if (length < PORTION_BYTES) continue;
		yield Buffer.concat(waiting);
		waiting = [];
		length = 0;
	}
	if (length > 0) yield Buffer.concat(waiting);
}
