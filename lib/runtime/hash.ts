import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';

/** SHA-256 of a file, in hexadecimal digits. */
export async function sha256OfFile(path: string): Promise<string> {
	const hash = createHash('sha256');
	// Large pieces: a hash over 64 KiB pieces spends its time on handing them over.
	for await (const piece of createReadStream(path, { highWaterMark: 2 ** 20 })) hash.update(piece as Buffer);
	return hash.digest('hex');
}
