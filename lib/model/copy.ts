/** A model folder written again, its weights copied as they are. */
import { chmod, constants, copyFile, readdir, readFile, realpath, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { DistiltuneError, ModelError } from '../errors.js';
import type { Dtype } from '../runtime/native.js';
import { configText, type ModelConfig } from './config.js';
import type { Vocabulary } from './vocabulary.js';
import { saveVocabulary } from './vocabulary-write.js';
import { writeFolderAtomically } from './write-folder.js';

/** The files of a model's weights as they were when it was opened: when each changed last, by absolute path. */
export type WeightFiles = ReadonlyMap<string, number>;

/** Weights as 8-bit numbers have a name of their own: Transformers would open them as model.safetensors, and take the numbers for weights. */
export const int8Weights = 'model.int8.safetensors';

/** What save() calls weights of a dtype. */
const nameOf = (dtype: Dtype) => (dtype === 'int8' ? int8Weights : 'model.safetensors');

/** `weights`: the file itself, or the index of shards beside it. */
export async function weightFiles(weights: string): Promise<WeightFiles> {
	const names = weights.endsWith('.index.json') ? [basename(weights), ...(await shards(weights))] : [basename(weights)];
	const paths = names.map((name) => join(dirname(weights), name));
	return new Map(await Promise.all(paths.map(async (path): Promise<[string, number]> => [path, (await stat(path)).mtimeMs])));
}

/**
 * Writes the model to `target` as writeFolderAtomically does; where that is its own folder, only config.json and what `write` makes.
 * `dtype`: what the weights there are then stored in. `write`: puts other weights in place of those, one file. Returns the files the model
 * now comes from. Throws what writeFolderAtomically and `write` throw, OUTPUT_NOT_WRITABLE where the folder holds weights that these would
 * not replace, and ModelError MODEL_CHANGED where these are not what was opened.
 */
export async function saveCopy(
	target: string,
	config: ModelConfig,
	weights: WeightFiles,
	vocabulary: Vocabulary,
	dtype: Dtype,
	write?: (from: string, to: string) => Promise<void>,
): Promise<WeightFiles> {
	const own = await isOwnFolder(target, weights);
	const written = nameOf(dtype);
	if (write !== undefined) await requireNoOtherWeights(target, [written]);
	else if (!own) await requireNoOtherWeights(target, names(weights));
	await writeFolderAtomically(target, async (temporary) => {
		for (const [path, changed] of weights) {
			const info = await stat(path).catch(() => undefined);
			if (info?.mtimeMs !== changed)
				throw new ModelError('MODEL_CHANGED', `${path} is not what it was when the model was opened`, { hint: 'open it again' });
			if (own || write !== undefined) continue;
			const copy = join(temporary, basename(path));
			await copyFile(path, copy, constants.COPYFILE_FICLONE);
			await chmod(copy, 0o644); // a cache may hold it read-only
		}
		await write?.([...weights.keys()][0] as string, join(temporary, written));
		if (!own) await saveVocabulary(temporary, vocabulary);
		await writeFile(join(temporary, 'config.json'), configText(config, dtype));
	});
	return own && write !== undefined ? weightFiles(join(target, written)) : weights;
}

const names = (weights: WeightFiles) => [...weights.keys()].map((path) => basename(path));

/** Names in an index that are plain; the others are not for this folder, and opening the model refuses them. */
async function shards(index: string): Promise<string[]> {
	const { weight_map } = JSON.parse(await readFile(index, 'utf8')) as { weight_map: Readonly<Record<string, string>> };
	return [...new Set(Object.values(weight_map))].filter((name) => basename(name) === name);
}

async function isOwnFolder(target: string, weights: WeightFiles): Promise<boolean> {
	const real = (path: string) => realpath(path).catch(() => undefined);
	const [there, own] = await Promise.all([real(target), ...[...weights.keys()].slice(0, 1).map((path) => real(dirname(path)))]);
	return there !== undefined && there === own;
}

/** Another form of weights that lies there could be what a loader takes. */
async function requireNoOtherWeights(target: string, own: readonly string[]): Promise<void> {
	const there = await readdir(target).catch(() => []);
	const other = there.find((name) => /^(model.*\.safetensors|pytorch_model.*\.bin)(\.index\.json)?$/.test(name) && !own.includes(name));
	if (other === undefined) return;
	throw new DistiltuneError('OUTPUT_NOT_WRITABLE', `Expected ${target} to hold no weights of another model, but there is ${other}`, {
		hint: 'name another folder',
	});
}
