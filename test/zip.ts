/** Zip archives of stored members (APPNOTE.TXT, 4.3), sound or, where a field is given, not. */
import { crc32 } from 'node:zlib';

export interface ZipPart {
	readonly name: string;
	readonly data: string | Buffer;
	/** What the directory says; the local header says the same where `local` does not differ. */
	readonly flags?: number;
	readonly method?: number;
	readonly crc?: number;
	readonly compressed?: number;
	readonly size?: number;
	/** Of the local header, from the start of the file. */
	readonly offset?: number;
	readonly extra?: Buffer;
	readonly local?: Partial<Pick<ZipPart, 'name' | 'flags' | 'method' | 'crc' | 'compressed' | 'size' | 'extra'>>;
	/** Behind the data. */
	readonly descriptor?: Buffer;
}

export interface ZipEnd {
	readonly count?: number;
	readonly length?: number;
	readonly begin?: number;
	readonly comment?: string;
	/** Between directory and end record. */
	readonly before?: (end: { readonly count: number; readonly length: number; readonly begin: number }) => Buffer;
}

export const u16 = (value: number) => Buffer.from([value & 255, value >> 8]);
export const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer);
export const u64 = (value: number | bigint) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer);

export function zip(parts: readonly ZipPart[], end: ZipEnd = {}): Buffer {
	const locals: Buffer[] = [];
	const central: Buffer[] = [];
	let offset = 0;
	for (const part of parts) {
		const data = Buffer.from(part.data);
		const { name, flags = 0, method = 0, crc = crc32(data), compressed = data.length, size = data.length, extra = Buffer.alloc(0) } = part;
		const header = (of: Required<Pick<ZipPart, 'name' | 'flags' | 'method' | 'crc' | 'compressed' | 'size' | 'extra'>>) =>
			Buffer.concat([
				...[u16(20), u16(of.flags), u16(of.method), u32(0), u32(of.crc), u32(of.compressed), u32(of.size)],
				...[u16(Buffer.byteLength(of.name)), u16(of.extra.length)],
			]);
		const said = { name, flags, method, crc, compressed, size, extra };
		const local = { ...said, ...part.local };
		const whole = [Buffer.from('PK\x03\x04'), header(local), Buffer.from(local.name), local.extra, data, part.descriptor ?? Buffer.alloc(0)];
		central.push(Buffer.from('PK\x01\x02'), u16(20), header(said), Buffer.alloc(10), u32(part.offset ?? offset), Buffer.from(name), extra);
		locals.push(Buffer.concat(whole));
		offset += (locals.at(-1) as Buffer).length;
	}
	const directory = Buffer.concat(central);
	const { count = parts.length, length = directory.length, begin = offset, comment = '', before } = end;
	const between = before?.({ count: parts.length, length: directory.length, begin: offset }) ?? Buffer.alloc(0);
	const record = [u32(0), u16(count), u16(count), u32(length), u32(begin), u16(comment.length), Buffer.from(comment)];
	return Buffer.concat([...locals, directory, between, Buffer.from('PK\x05\x06'), ...record]);
}

export function zipOf(members: Readonly<Record<string, string | Buffer>>): Buffer {
	return zip(Object.entries(members).map(([name, data]) => ({ name, data })));
}
