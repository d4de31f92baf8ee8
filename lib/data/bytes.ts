/** Bytes of a user's file, checked to be UTF-8 as they stream by. */
import { isUtf8 } from 'node:buffer';
import { type FileHandle, open } from 'node:fs/promises';

import { DataError } from '../errors.js';

/** Longest row of a file, in bytes: what lies beyond is a quote that was never closed, or no table of texts. */
export const MAX_ROW_BYTES = 16 * 2 ** 20;

/** The file's chunks; refuses what is missing, no regular file, or empty. */
export async function* fileBytes(path: string): AsyncGenerator<Buffer> {
	const handle = await openFile(path);
	try {
		const stats = await handle.stat();
		if (!stats.isFile()) throw new DataError('FILE_NOT_REGULAR', `Expected ${path} to be a file, found a folder or device`, { file: path });
		if (stats.size === 0) throw new DataError('FILE_EMPTY', `${path} is empty: expected a header and rows`, { file: path });
		yield* handle.createReadStream({ autoClose: false }) as AsyncIterable<Buffer>;
	} finally {
		await handle.close();
	}
}

async function openFile(path: string): Promise<FileHandle> {
	try {
		return await open(path);
	} catch (cause) {
		const { code } = cause as NodeJS.ErrnoException;
		if (code === 'ENOENT' || code === 'ENOTDIR') {
			throw new DataError('FILE_NOT_FOUND', `There is no file ${path}`, {
				file: path,
				cause,
				hint: 'check the spelling; relative paths start at the current folder',
			});
		}
		throw new DataError('FILE_UNREADABLE', `${path} cannot be read (${code ?? 'unknown reason'})`, { file: path, cause });
	}
}

/** The same bytes without a byte order mark, cut between characters; refuses what is not UTF-8 with the offset of the first bad byte. */
export async function* checkedUtf8(chunks: AsyncIterable<Buffer>, file: string): AsyncGenerator<Buffer> {
	let offset = 0;
	let unfinished: Buffer = Buffer.alloc(0);
	for await (const chunk of chunks) {
		const bytes = unfinished.length === 0 ? chunk : Buffer.concat([unfinished, chunk]);
		if (offset === 0 && isUtf16(bytes)) throw notUtf8(file, 0, 'it begins like UTF-16');
		const end = bytes.length - unfinishedTail(bytes);
		const whole = bytes.subarray(0, end);
		if (!isUtf8(whole)) throw notUtf8(file, offset + firstBadByte(whole));
		yield offset === 0 && startsWithMark(whole) ? whole.subarray(3) : whole;
		offset += end;
		unfinished = bytes.subarray(end);
	}
	if (unfinished.length > 0) throw notUtf8(file, offset);
}

function notUtf8(file: string, offset: number, found = 'the byte there belongs to no character'): DataError {
	return new DataError('NOT_UTF8', `Expected ${file} to be UTF-8, but at byte ${offset} ${found}`, {
		file,
		hint: 'save the file as UTF-8, for example with: iconv -f WINDOWS-1252 -t UTF-8 OLD > NEW',
		details: { offset },
	});
}

const startsWithMark = (bytes: Buffer): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
const isUtf16 = (bytes: Buffer): boolean => (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);

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
