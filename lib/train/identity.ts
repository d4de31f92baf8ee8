/** What makes two runs the same run, read off the run at hand. */
import { createHash } from 'node:crypto';
import { basename, join } from 'node:path';
import { weightFiles } from '../model/copy.js';
import type { ModelFolder } from '../model/folder.js';
import { packageVersion } from '../runtime/build.js';
import { sha256OfFile } from '../runtime/hash.js';
import { isFile } from '../runtime/is-file.js';
import type { BaseAddon, EngineAddon, TrainingDtype } from '../runtime/native.js';
import type { Material } from './material.js';
import type { Identity, Machine } from './run-state.js';

/** Options that another field of the identity settles, or that are no plain values. */
const elsewhere = new Set(['train', 'model', 'labels', 'threads', 'dtype', 'callbacks', 'computeMetrics']);

export interface Particulars {
	readonly config: Readonly<Record<string, unknown>> & { readonly model: string; readonly threads: number };
	readonly dtype: TrainingDtype;
	readonly folder: ModelFolder;
	readonly material: Material;
	readonly base: BaseAddon;
	readonly engine: EngineAddon;
}

/** `config`: the options, settled; `eval` is among them only where it is a share of the training rows. */
export async function identityOf({ config, dtype, folder, material, base, engine }: Particulars): Promise<Identity> {
	const { train, eval: measured } = material.data;
	return {
		data: { train, eval: measured === undefined || 'split' in measured ? null : measured },
		model: { name: config.model, sha256: await sumOf(folder) },
		labels: material.labels,
		options: Object.fromEntries(
			Object.entries(config)
				.filter(([name]) => !elsewhere.has(name))
				.map(([name, value]) => [name, value ?? null]),
		),
		machine: machineOf(base, engine, config.threads, dtype),
	};
}

function machineOf(base: BaseAddon, engine: EngineAddon, threads: number, dtype: TrainingDtype): Machine {
	const versions = { distiltune: packageVersion(), node: process.versions.node, libtorch: engine.torchVersion };
	return { ...versions, device: 'cpu', dtype, threads, world: 1, isa: base.cpu().isa, kernels: {} };
}

/** Files that config and tokenizer are read from, where they are there. */
const besideWeights = ['config.json', 'vocab.txt', 'tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json'];

/** SHA-256 over the names and contents of all files that a model is read from. */
async function sumOf({ folder, weights }: ModelFolder): Promise<string> {
	const sum = createHash('sha256');
	for (const file of [...(await weightFiles(weights)).keys(), ...besideWeights.map((name) => join(folder, name))])
		if (await isFile(file)) sum.update(`${basename(file)} ${await sha256OfFile(file)}\n`);
	return sum.digest('hex');
}
