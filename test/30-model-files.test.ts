import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Classifier } from '../lib/classifier.js';
import { parseConfig } from '../lib/model/config.js';
import { openModelFolder } from '../lib/model/folder.js';
import { loadBase } from '../lib/runtime/load.js';
import { Tokenizer } from '../lib/tokenizer.js';
import { ragged, reference } from './models.js';
import { unpacked } from './unpack.js';

// Weights in every form that Transformers and torch have written them in; what each holds was hashed by torch itself.

interface Tensor {
	readonly dtype: string;
	readonly shape: readonly number[];
	readonly sha256_as_float32: string;
}
interface Inputs {
	readonly attention_mask: readonly (readonly number[])[];
	readonly logits: readonly (readonly number[])[];
}
interface Expected extends Inputs {
	readonly input_ids: readonly (readonly number[])[];
	readonly logits_of_half_weights_in_float32: Readonly<Record<string, Inputs['logits']>>;
	readonly folders: Readonly<Record<string, { readonly tensors: Readonly<Record<string, Tensor>> }>>;
}

const bin = unpacked(reference('bin'));
const checkpoint = unpacked(reference('checkpoint'));
afterAll(() => {
	for (const folder of [bin, checkpoint]) rmSync(folder, { recursive: true });
});
const expected = JSON.parse(readFileSync(join(bin, 'expected.json'), 'utf8')) as Expected;

const spelling: Readonly<Record<string, string>> = {
	...{ float32: 'F32', float16: 'F16', bfloat16: 'BF16', float64: 'F64' },
	...{ int64: 'I64', int32: 'I32', int16: 'I16', int8: 'I8', uint8: 'U8', bool: 'BOOL' },
};
const floats = ['float32', 'float16', 'bfloat16', 'float64'];
const sha256 = (values: Float32Array) =>
	createHash('sha256')
		.update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
		.digest('hex');

/** The weights of a folder, which need not be a model. */
function weightsOf(folder: string): string {
	const names = ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json'];
	return names.map((name) => join(folder, name)).find((path) => existsSync(path)) as string;
}

function expectTensors(file: string, tensors: Readonly<Record<string, Tensor>>): void {
	const opened = loadBase().openTensors(file);
	const headers = Object.fromEntries(opened.tensors.map(({ name, dtype, shape }) => [name, { dtype, shape }]));
	expect(headers).toEqual(Object.fromEntries(Object.entries(tensors).map(([name, { dtype, shape }]) => [name, { dtype: spelling[dtype], shape }])));
	for (const [place, { name, dtype }] of opened.tensors.entries()) {
		const { dtype: theirs, sha256_as_float32 } = tensors[name] as Tensor;
		if (floats.includes(theirs)) expect(sha256(opened.read(place)), name).toBe(sha256_as_float32);
		else
			expect(() => opened.read(place)).toThrow(
				expect.objectContaining({ code: 'TENSOR_DTYPE', message: expect.stringContaining(`\`${name}\` in ${file} is ${dtype}`) }),
			);
	}
}

async function expectLogits(
	weights: string,
	configFile: string,
	ids: readonly (readonly number[])[],
	{ attention_mask, logits }: Inputs,
): Promise<void> {
	const { shape } = parseConfig(JSON.parse(readFileSync(configFile, 'utf8')));
	const predictor = await loadBase().openPredictor({ weights, shape, threads: 1 });
	const rows = ids.map((row, index) =>
		row.slice(
			0,
			attention_mask[index]?.reduce((sum, each) => sum + each, 0),
		),
	);
	const got = await predictor.logits(ragged({ ids: rows, labels: [] }));
	await predictor.close();
	expect(got).toHaveLength(logits.flat().length);
	// float32 sums in another order; torch's own moved by up to 2e-6 between batches.
	for (const [i, want] of logits.flat().entries()) expect(Math.abs((got[i] as number) - want)).toBeLessThanOrEqual(1e-5);
}

describe.each(Object.keys(expected.folders))('%s', (name) => {
	const { tensors } = expected.folders[name] as Expected['folders'][string];
	const weights = weightsOf(join(bin, name));
	const names = Object.keys(tensors);

	test('every tensor has the dtype, the shape and the values that torch saved', () => {
		expectTensors(weights, tensors);
	});

	if (names.some((each) => /embeddings/.test(each)) && names.includes('classifier.weight'))
		test("its logits are Transformers'", () =>
			expectLogits(weights, join(bin, 'config.json'), expected.input_ids, {
				...expected,
				logits: expected.logits_of_half_weights_in_float32[name] ?? expected.logits,
			}));
	else
		test('it is no classifier', async () => {
			const { shape } = parseConfig(JSON.parse(readFileSync(join(bin, 'config.json'), 'utf8')));
			await expect(loadBase().openPredictor({ weights, shape, threads: 1 })).rejects.toMatchObject({
				code: name === 'bare_encoder' ? 'MODEL_NOT_TRAINED' : expect.stringMatching(/^TENSOR_(MISSING|UNEXPECTED)$/),
			});
		});
});

test('a folder with a pytorch_model.bin and one with shards are opened as they are', async () => {
	for (const name of ['legacy', 'bin_sharded', 'safetensors_sharded']) {
		copyFileSync(join(bin, 'config.json'), join(bin, name, 'config.json'));
		expect((await openModelFolder(join(bin, name))).weights).toBe(weightsOf(join(bin, name)));
	}
});

describe('a checkpoint that the Trainer of Transformers left', () => {
	const folder = join(checkpoint, 'checkpoint-12');
	const { tensors, texts, ids, max_length, ...inputs } = JSON.parse(readFileSync(join(checkpoint, 'expected.json'), 'utf8')) as Inputs & {
		tensors: Record<string, Tensor>;
		texts: string[];
		ids: number[][];
		max_length: number;
	};

	test('has its tensors and its logits', async () => {
		const { weights } = await openModelFolder(folder);
		expectTensors(weights, tensors);
		await expectLogits(weights, join(folder, 'config.json'), ids, inputs);
	});

	test('tokenizes and classifies without a vocab.txt', async () => {
		using tokenizer = await Tokenizer.load(folder);
		for (const [row, text] of texts.entries())
			expect(tokenizer.encode(text, { maxLength: max_length }).ids).toEqual(ids[row]?.filter((_, i) => inputs.attention_mask[row]?.[i] === 1));
		await using classifier = await Classifier.load(folder);
		const predictions = await classifier.predict(texts, { maxLength: max_length });
		expect(classifier.labels).toEqual(['control', 'depression']);
		for (const [row, { label }] of predictions.entries()) {
			const [control, depression] = inputs.logits[row] as [number, number];
			expect(label).toBe(depression > control ? 'depression' : 'control');
		}
	});

	test('its training_args.bin, a pickle of classes, yields nothing', () => {
		expect(() => loadBase().openTensors(join(folder, 'training_args.bin'))).toThrow(
			expect.objectContaining({ code: 'PYTORCH_BIN_INVALID', message: expect.stringMatching(/(opcode|global) .* at byte \d+/) }),
		);
	});
});
