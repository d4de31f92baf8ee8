/** Builds .safetensors bytes for tests, sound or not; a second, independent writer beside native/files. */
export function withHeader(header: string | Buffer, data: Buffer | string = '', length?: bigint): Buffer {
	const text = Buffer.from(header);
	const size = Buffer.alloc(8);
	size.writeBigUInt64LE(length ?? BigInt(text.length));
	return Buffer.concat([size, text, Buffer.from(data)]);
}

export interface TensorBytes {
	readonly name: string;
	readonly dtype: string;
	readonly shape: readonly number[];
	readonly data: Buffer;
}

export function safetensors(tensors: readonly TensorBytes[]): Buffer {
	let end = 0;
	const entries = tensors.map(({ name, dtype, shape, data }) => {
		const begin = end;
		end += data.length;
		return [name, { dtype, shape, data_offsets: [begin, end] }] as const;
	});
	return withHeader(JSON.stringify(Object.fromEntries(entries)), Buffer.concat(tensors.map(({ data }) => data)));
}

export function readSafetensors(file: Buffer): TensorBytes[] {
	const start = 8 + Number(file.readBigUInt64LE());
	const header = JSON.parse(file.toString('utf8', 8, start)) as Record<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
	return Object.entries(header)
		.filter(([name]) => name !== '__metadata__')
		.map(([name, { dtype, shape, data_offsets }]) => ({ name, dtype, shape, data: file.subarray(start + data_offsets[0], start + data_offsets[1]) }));
}
