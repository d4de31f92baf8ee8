import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

/** A tensor of a .safetensors file, as the bytes that it is stored in. */
export interface StoredTensor {
	readonly dtype: string;
	readonly shape: readonly number[];
	readonly bytes: Uint8Array;
}

/** The smallest reader there can be, of files known to be sound; .gz is unpacked. */
export function readTensors(path: string): Map<string, StoredTensor> {
	const file = path.endsWith('.gz') ? gunzipSync(readFileSync(path)) : readFileSync(path);
	const length = Number(file.readBigUInt64LE(0));
	const header = JSON.parse(file.toString('utf8', 8, 8 + length)) as Record<
		string,
		{ dtype: string; shape: number[]; data_offsets: [number, number] }
	>;
	const tensors = new Map<string, StoredTensor>();
	for (const [name, { dtype, shape, data_offsets: span }] of Object.entries(header)) {
		if (name === '__metadata__') continue;
		tensors.set(name, { dtype, shape, bytes: file.subarray(8 + length + span[0], 8 + length + span[1]) });
	}
	return tensors;
}

export function writeTensors(path: string, tensors: ReadonlyMap<string, StoredTensor>): void {
	const header: Record<string, unknown> = {};
	let end = 0;
	for (const [name, { dtype, shape, bytes }] of tensors) {
		header[name] = { dtype, shape, data_offsets: [end, end + bytes.length] };
		end += bytes.length;
	}
	const text = Buffer.from(JSON.stringify(header));
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(text.length));
	const file = openSync(path, 'w');
	for (const piece of [length, text, ...[...tensors.values()].map(({ bytes }) => bytes)]) writeSync(file, piece);
	closeSync(file);
}

/** Values of an F32 tensor. */
export function floats({ bytes }: StoredTensor): Float32Array {
	return new Float32Array(new Uint8Array(bytes).buffer); // slice() of a Buffer would be the whole file
}

export function tensorOf(values: Float32Array, shape: readonly number[]): StoredTensor {
	return { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer, values.byteOffset, values.byteLength) };
}

/** L2 norm of the difference over the L2 norm of `want`; 0 where both are 0 throughout. */
export function distance(got: Float32Array, want: Float32Array): number {
	if (got.length !== want.length) throw new Error(`${got.length} values, expected ${want.length}`);
	let off = 0;
	let size = 0;
	for (let index = 0; index < want.length; index++) {
		off += ((got[index] as number) - (want[index] as number)) ** 2;
		size += (want[index] as number) ** 2;
	}
	return off === 0 ? 0 : Math.sqrt(off / size);
}
