/** A folder per label: FOLDER/LABEL/*.txt, each file one text. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

import { DataError } from '../errors.js';
import { MAX_ROW_BYTES } from './bytes.js';
import type { Reading } from './reading.js';
import { type FileRow, type Origin, rowError } from './row.js';
import { storedText } from './stored.js';

const TEXT_FILE = /\.txt(\.gz)?$/i;
const byCodeUnit = (a: string, b: string): number => (a < b ? -1 : 1);

/**
 * A row a file, labels and files in the order of their names; names that begin with a dot, and files that do not end in .txt or
 * .txt.gz, are passed over. A file that is empty is an empty text; one that is no text comes as the DataError it is.
 */
export async function* readFolder(folder: string, { columns, hash, onNotUtf8 }: Reading): AsyncGenerator<FileRow | DataError> {
	const origin: Origin = { name: folder, unit: 'File' };
	let line = 0;
	for (const label of await visible(folder)) {
		const labelFolder = join(folder, label);
		if (!(await stat(labelFolder)).isDirectory()) continue;
		for (const name of (await visible(labelFolder)).filter((each) => TEXT_FILE.test(each))) {
			line += 1;
			const file = join(labelFolder, name);
			hash?.(`${JSON.stringify([label, name])}\n`);
			const text = await textOfFile(file, line, origin, { hash, onNotUtf8 });
			if (text instanceof DataError) yield text;
			else yield { line, file, text, label: columns.label === undefined ? undefined : label };
		}
	}
	if (line > 0) return;
	throw new DataError('NO_ROWS', `Expected ${folder} to hold a folder for each label with texts in it (LABEL/*.txt), found none`, { file: folder });
}

async function visible(folder: string): Promise<string[]> {
	try {
		return (await readdir(folder)).filter((name) => !name.startsWith('.')).sort(byCodeUnit);
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		if (code === 'ENOENT') throw new DataError('FILE_NOT_FOUND', `There is no folder ${folder}`, { file: folder, cause });
		if (code === 'ENOTDIR')
			throw new DataError('FILE_NOT_REGULAR', `Expected ${folder} to be a folder with one for each label`, { file: folder, cause });
		throw new DataError('FILE_UNREADABLE', `${folder} cannot be read (${code ?? 'unknown reason'})`, { file: folder, cause });
	}
}

async function textOfFile(file: string, line: number, origin: Origin, reading: Pick<Reading, 'hash' | 'onNotUtf8'>): Promise<string | DataError> {
	const pieces: Buffer[] = [];
	let length = 0;
	try {
		for await (const piece of storedText(file, { ...reading, maxDecodedBytes: MAX_ROW_BYTES, mayBeEmpty: true })) {
			pieces.push(piece);
			length += piece.length;
			if (length > MAX_ROW_BYTES) return rowError('ROW_TOO_LONG', origin, line, `${file} is longer than 16 MB`);
		}
	} catch (error) {
		// One file of many: who reads decides whether to go on.
		if (error instanceof DataError) return new DataError(error.code, error.message, { file, line, hint: error.hint, cause: error });
		throw error;
	}
	return Buffer.concat(pieces).toString();
}
