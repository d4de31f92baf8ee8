/** A zip of stored members (APPNOTE.TXT, 4.3.7, 4.3.12 and 4.3.16). */
import { crc32 } from 'node:zlib';

export function zipOf(members: Readonly<Record<string, string>>): Buffer {
	const locals: Buffer[] = [];
	const central: Buffer[] = [];
	let offset = 0;
	for (const [name, text] of Object.entries(members)) {
		const [path, data] = [Buffer.from(name), Buffer.from(text)];
		const common = Buffer.alloc(26);
		common.writeUInt16LE(20, 0); // version needed
		common.writeUInt32LE(crc32(data), 10);
		common.writeUInt32LE(data.length, 14);
		common.writeUInt32LE(data.length, 18);
		common.writeUInt16LE(path.length, 22);
		const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, path, data]);
		const entry = Buffer.alloc(14);
		entry.writeUInt32LE(offset, 10);
		central.push(Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), common, entry, path);
		locals.push(local);
		offset += local.length;
	}
	const directory = Buffer.concat(central);
	const end = Buffer.alloc(18);
	const count = Object.keys(members).length;
	end.writeUInt16LE(count, 4);
	end.writeUInt16LE(count, 6);
	end.writeUInt32LE(directory.length, 8);
	end.writeUInt32LE(offset, 12);
	return Buffer.concat([...locals, directory, Buffer.from('PK\x05\x06'), end]);
}
