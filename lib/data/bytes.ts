/** Bytes of a user's file, checked to be UTF-8 as they stream by. */
import { isUtf8 } from 'node:buffer';
import { constants, type FileHandle, open } from 'node:fs/promises';

import { DataError } from '../errors.js';

/** Longest row of a file, in bytes: what lies beyond is a quote that was never closed, or no table of texts. */
export const MAX_ROW_BYTES = 16 * 2 ** 20;

/** The file's chunks. Throws where it cannot be opened, or is empty and may not be. */
export async function* fileBytes(path: string, { mayBeEmpty = false }: { mayBeEmpty?: boolean | undefined } = {}): AsyncGenerator<Buffer> {
	const { handle, size } = await openFile(path);
	try {
		if (size === 0 && !mayBeEmpty) throw new DataError('FILE_EMPTY', `${path} is empty: expected a header and rows`, { file: path });
		yield* handle.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>;
	} finally {
		await handle.close();
	}
}

/** Throws FILE_NOT_FOUND, FILE_UNREADABLE, or FILE_NOT_REGULAR for folders and devices. */
export async function openFile(path: string): Promise<{ handle: FileHandle; size: number }> {
	// A pipe nobody writes to would hold up a plain open for ever. Windows has neither.
	const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)).catch((cause: NodeJS.ErrnoException) => {
		throw openRefused(path, cause);
	});
	const stats = await handle.stat();
	if (stats.isFile()) return { handle, size: stats.size };
	await handle.close();
	throw new DataError('FILE_NOT_REGULAR', `Expected ${path} to be a file, found a folder or device`, { file: path });
}

function openRefused(path: string, cause: NodeJS.ErrnoException): DataError {
	if (cause.code !== 'ENOENT' && cause.code !== 'ENOTDIR') {
		return new DataError('FILE_UNREADABLE', `${path} cannot be read (${cause.code ?? 'unknown reason'})`, { file: path, cause });
	}
	const hint = 'check the spelling; relative paths start at the current folder';
	return new DataError('FILE_NOT_FOUND', `There is no file ${path}`, { file: path, cause, hint });
}

/**
 * The same bytes without a byte order mark, cut between characters. Throws NOT_UTF8 with the offset of the first byte that belongs to
 * no character; where `onBadByte` is given it is told that offset instead, once, and what is no character becomes U+FFFD.
 */
export async function* checkedUtf8(chunks: AsyncIterable<Buffer>, file: string, onBadByte?: (offset: number) => void): AsyncGenerator<Buffer> {
	let offset = 0;
	let unfinished: Buffer = Buffer.alloc(0);
	let bad = false;
	const mend = (bytes: Buffer, at: number): Buffer => {
		if (onBadByte === undefined) throw notUtf8(file, at);
		if (!bad) onBadByte(at);
		bad = true;
		return Buffer.from(bytes.toString());
	};
	for await (const chunk of chunks) {
		const bytes = unfinished.length === 0 ? chunk : Buffer.concat([unfinished, chunk]);
		if (offset === 0) refuseOtherKind(bytes, file);
		const end = bytes.length - unfinishedTail(bytes);
		const whole = bytes.subarray(offset === 0 && startsWithMark(bytes) ? 3 : 0, end);
		yield isUtf8(whole) ? whole : mend(whole, offset + end - whole.length + firstBadByte(whole));
		offset += end;
		unfinished = bytes.subarray(end);
	}
	if (unfinished.length > 0) yield mend(unfinished, offset);
}

function notUtf8(file: string, offset: number): DataError {
	return new DataError('NOT_UTF8', `Expected ${file} to be UTF-8, but the byte at offset ${offset} belongs to no character`, {
		file,
		hint: 'save the file as UTF-8, for example with: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW',
		details: { offset },
	});
}

/** Kinds of files that are taken for text by their names, by the bytes they begin with. */
const OTHER_KINDS: readonly { readonly starts: readonly number[]; readonly kind: string; readonly hint: string }[] = [
	{ starts: [0xff, 0xfe], kind: 'UTF-16', hint: 'save the file as UTF-8, for example with: iconv -f UTF-16 -t UTF-8 OLD > NEW' },
	{ starts: [0xfe, 0xff], kind: 'UTF-16', hint: 'save the file as UTF-8, for example with: iconv -f UTF-16 -t UTF-8 OLD > NEW' },
	{ starts: [0x1f, 0x8b], kind: 'gzip', hint: 'let its name end in .gz' },
	{ starts: [0x50, 0x4b, 3, 4], kind: 'a zip archive or a workbook', hint: 'unpack it, or save the sheet as CSV UTF-8' },
	{ starts: [0x50, 0x41, 0x52, 0x31, 0x15], kind: 'Parquet', hint: 'let its name end in .parquet' },
];

function refuseOtherKind(bytes: Buffer, file: string): void {
	const other = OTHER_KINDS.find(({ starts }) => starts.every((byte, at) => bytes[at] === byte));
	if (other === undefined) return;
	throw new DataError('NOT_UTF8', `Expected ${file} to be UTF-8, but it begins like ${other.kind}`, {
		file,
		hint: other.hint,
		details: { offset: 0 },
	});
}

const startsWithMark = (bytes: Buffer): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;

/** Bytes of the character that begins with `lead`; 0 where none can. */
function characterLength(lead: number): number {
	if (lead < 0x80) return 1;
	if (lead < 0xc2 || lead > 0xf4) return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

/** Bytes at the end that begin a character and do not end it. */
function unfinishedTail(bytes: Buffer): number {
	for (let back = 1; back <= Math.min(3, bytes.length); back++) {
		const byte = bytes[bytes.length - back] ?? 0;
		if (byte >= 0xc0) return characterLength(byte) > back ? back : 0;
		if (byte < 0x80) return 0;
	}
	return 0;
}

function firstBadByte(bytes: Buffer): number {
	for (let at = 0; at < bytes.length; ) {
		const length = characterLength(bytes[at] ?? 0);
		if (length === 0 || !isUtf8(bytes.subarray(at, at + length))) return at;
		at += length;
	}
	return bytes.length;
}
