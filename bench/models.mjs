// Models to measure: minilm-l6 as it is, and one of DistilBERT's own sizes with random weights, since speed does not depend on them.
import { copyFileSync, createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

import { cacheFolder } from '../dist/runtime/cache.js';

const minilm = join(dirname(dirname(fileURLToPath(import.meta.url))), 'models', 'minilm-l6');

export const modelNames = ['distilbert-base', 'minilm-l6'];

/** A folder that both sides open. `labels`: with a head for so many, so that it classifies. */
export async function modelFolder(name, labels = 0) {
	if (name === 'minilm-l6' && labels === 0) return minilm;
	if (name !== 'distilbert-base') throw new Error(`Expected --model to be ${modelNames.join(' or ')}, got ${JSON.stringify(name)}`);
	const folder = join(cacheFolder(), 'bench', labels === 0 ? 'distilbert-base-random' : `distilbert-base-random-${labels}`);
	if (existsSync(folder)) return folder;
	const fresh = `${folder}.${process.pid}`;
	mkdirSync(fresh, { recursive: true });
	for (const file of ['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'vocab.txt'])
		copyFileSync(join(minilm, file), join(fresh, file));
	const config = {
		...JSON.parse(readFileSync(join(minilm, 'config.json'), 'utf8')),
		architectures: ['DistilBertForSequenceClassification'],
		dim: 768,
		hidden_dim: 3072,
		...(labels > 0 && {
			id2label: Object.fromEntries(Array.from({ length: labels }, (_, label) => [label, `LABEL_${label}`])),
			label2id: Object.fromEntries(Array.from({ length: labels }, (_, label) => [`LABEL_${label}`, label])),
		}),
	};
	writeFileSync(join(fresh, 'config.json'), JSON.stringify(config, undefined, 2));
	await writeRandomWeights(join(fresh, 'model.safetensors'), config, labels);
	rmSync(folder, { recursive: true, force: true });
	renameSync(fresh, folder);
	return folder;
}

/** Names and sizes of the tensors; without labels the head is drawn by whoever opens the folder. */
function tensors(labels, { dim, hidden_dim: hidden, n_layers: layers, vocab_size: vocab, max_position_embeddings: positions }) {
	const linear = (name, outputs, inputs) => [
		[`${name}.weight`, [outputs, inputs]],
		[`${name}.bias`, [outputs]],
	];
	const norm = (name) => [
		[`${name}.weight`, [dim]],
		[`${name}.bias`, [dim]],
	];
	const layer = (_, index) => {
		const at = (name) => `distilbert.transformer.layer.${index}.${name}`;
		return [
			...['q_lin', 'k_lin', 'v_lin', 'out_lin'].flatMap((name) => linear(at(`attention.${name}`), dim, dim)),
			...norm(at('sa_layer_norm')),
			...linear(at('ffn.lin1'), hidden, dim),
			...linear(at('ffn.lin2'), dim, hidden),
			...norm(at('output_layer_norm')),
		];
	};
	return [
		['distilbert.embeddings.word_embeddings.weight', [vocab, dim]],
		['distilbert.embeddings.position_embeddings.weight', [positions, dim]],
		...norm('distilbert.embeddings.LayerNorm'),
		...Array.from({ length: layers }, layer).flat(),
		...(labels > 0 ? [...linear('pre_classifier', dim, dim), ...linear('classifier', labels, dim)] : []),
	];
}

/** As a new DistilBERT's: deviation .02, biases 0, norms 1. */
async function writeRandomWeights(path, config, labels) {
	const all = tensors(labels, config);
	const header = { __metadata__: { format: 'pt' } };
	let end = 0;
	for (const [name, shape] of all) {
		const begin = end;
		end += 4 * shape.reduce((product, size) => product * size, 1);
		header[name] = { dtype: 'F32', shape, data_offsets: [begin, end] };
	}
	const text = JSON.stringify(header).padEnd(Math.ceil(JSON.stringify(header).length / 8) * 8);
	const length = Buffer.alloc(8);
	length.writeBigUInt64LE(BigInt(text.length));
	const file = createWriteStream(path);
	file.write(length);
	file.write(text);
	let state = 1;
	const uniform = () => {
		state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
		return state / 2 ** 32 - 0.5;
	};
	for (const [name, shape] of all) {
		const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
		if (shape.length === 2) for (let at = 0; at < values.length; at++) values[at] = 0.02 * Math.sqrt(12) * uniform();
		else if (/norm\.weight$/i.test(name)) values.fill(1);
		if (!file.write(Buffer.from(values.buffer))) await new Promise((resolve) => file.once('drain', resolve));
	}
	file.end();
	await finished(file);
}
