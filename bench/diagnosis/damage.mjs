// Models spoiled in ways that files are: a scale that was lost or left in, a head that an earlier run killed.
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const layer = 'distilbert.transformer.layer.5.output_layer_norm';
const bertLayer = 'encoder.layer.5.output.LayerNorm';
const scaled = (name, factor) => (tensors) => {
	const found = Object.keys(tensors).find((key) => key.endsWith(`${layer}.${name}`) || key.endsWith(`${bertLayer}.${name}`));
	if (found === undefined) throw new Error(`no last LayerNorm among ${Object.keys(tensors).slice(0, 20).join(', ')} ...`);
	tensors[found] = { ...tensors[found], values: tensors[found].values.map((value) => value * factor) };
};
const damages = {
	'silent layer': [scaled('weight', 0), scaled('bias', 0)],
	'loud layer': [scaled('weight', 1000)],
	'dead head': [
		(tensors) => {
			const dim = 384;
			const wave = (count, scale) => Float32Array.from({ length: count }, (_, index) => scale * Math.sin(index * 12.9898));
			tensors['pre_classifier.weight'] = { shape: [dim, dim], values: wave(dim * dim, 0.02) };
			tensors['pre_classifier.bias'] = { shape: [dim], values: new Float32Array(dim).fill(-100) };
			tensors['classifier.weight'] = { shape: [2, dim], values: wave(2 * dim, 0.02) };
			tensors['classifier.bias'] = { shape: [2], values: new Float32Array(2) };
		},
	],
};

/** Copies the model `from` to `to`, its weights spoiled. Returns `to`. */
export function damagedModel(from, to, damage) {
	cpSync(from, to, { recursive: true });
	const path = join(to, 'model.safetensors');
	const tensors = read(readFileSync(path));
	for (const apply of damages[damage]) apply(tensors);
	writeFileSync(path, written(tensors));
	return to;
}

const byDtype = { F32: (bytes) => new Float32Array(bytes), F16: halves };

function read(file) {
	const size = Number(file.readBigUInt64LE(0));
	const header = JSON.parse(file.subarray(8, 8 + size).toString());
	const tensors = {};
	for (const [name, { dtype, shape, data_offsets: offsets }] of Object.entries(header)) {
		if (name === '__metadata__') continue;
		const [from, to] = offsets.map((offset) => 8 + size + offset);
		tensors[name] = { shape, values: byDtype[dtype](Uint8Array.from(file.subarray(from, to)).buffer) };
	}
	return tensors;
}

function halves(bytes) {
	return Float32Array.from(new Uint16Array(bytes), (half) => {
		const [sign, exponent, fraction] = [half >> 15 ? -1 : 1, (half >> 10) & 31, half & 1023];
		return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
	});
}

function written(tensors) {
	const header = {};
	let offset = 0;
	for (const [name, { shape, values }] of Object.entries(tensors)) {
		header[name] = { dtype: 'F32', shape, data_offsets: [offset, offset + 4 * values.length] };
		offset += 4 * values.length;
	}
	const text = Buffer.from(JSON.stringify(header));
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(text.length));
	return Buffer.concat([
		length,
		text,
		...Object.values(tensors).map(({ values }) => Buffer.from(values.buffer, values.byteOffset, 4 * values.length)),
	]);
}
