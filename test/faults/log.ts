/** What test/fixtures/shim/files.c wrote down: one record for each call that went well, in the order they were made. */
import { readFileSync } from 'node:fs';

const kinds = ['', 'open', 'write', 'sync', 'close', 'rename', 'unlink', 'mkdir', 'rmdir', 'truncate'] as const;

export interface Call {
	readonly what: (typeof kinds)[number];
	/** Descriptor; -1 where the call names a path. */
	readonly file: number;
	/** open: 1 where it may create, 2 where it empties; write: offset; truncate: length. */
	readonly number: number;
	readonly path: string;
	/** rename: the new name. */
	readonly to: string;
	readonly data: Buffer;
}

const headBytes = 32;

export function readLog(path: string): Call[] {
	const log = readFileSync(path);
	const calls: Call[] = [];
	for (let at = 0; at < log.length; ) {
		const [pathBytes, toBytes, dataBytes] = [16, 20, 24].map((offset) => log.readUInt32LE(at + offset)) as [number, number, number];
		const body = at + headBytes;
		calls.push({
			what: kinds[log.readInt32LE(at)] ?? '',
			file: log.readInt32LE(at + 4),
			number: Number(log.readBigInt64LE(at + 8)),
			path: log.toString('utf8', body, body + pathBytes),
			to: log.toString('utf8', body + pathBytes, body + pathBytes + toBytes),
			data: log.subarray(body + pathBytes + toBytes, body + pathBytes + toBytes + dataBytes),
		});
		at = body + pathBytes + toBytes + dataBytes;
	}
	return calls;
}
