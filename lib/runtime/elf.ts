import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const LOAD = 1; // PT_LOAD

/**
 * Bytes that a 64-bit little-endian ELF file says are loaded from it, where it is shorter than that; undefined for a whole file and for
 * other formats. Opening such a file would end the process by SIGBUS, since the system maps what is not there.
 */
export function bytesCutOff(path: string): { readonly bytes: number; readonly expected: number } | undefined {
	const file = openSync(path, 'r');
	try {
		const header = Buffer.alloc(64);
		if (readSync(file, header) < header.length || header.readUInt32BE(0) !== 0x7f454c46 || header[4] !== 2 || header[5] !== 1) return undefined;
		const [entry, entries] = [header.readUInt16LE(54), header.readUInt16LE(56)];
		const segments = Buffer.alloc(entry * entries);
		if (entry >= 56) readSync(file, segments, 0, segments.length, Number(header.readBigUInt64LE(32)));
		let expected = 0;
		for (let at = 0; entry >= 56 && at < segments.length; at += entry) {
			if (segments.readUInt32LE(at) !== LOAD) continue;
			expected = Math.max(expected, Number(segments.readBigUInt64LE(at + 8) + segments.readBigUInt64LE(at + 32)));
		}
		const bytes = fstatSync(file).size;
		return bytes < expected ? { bytes, expected } : undefined;
	} finally {
		closeSync(file);
	}
}
