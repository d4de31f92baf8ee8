import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { homedir } from 'node:os';
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Attempt, ModelError } from '../errors.js';
import { cacheFolder } from '../runtime/cache.js';
import { isFile, isFolder } from '../runtime/is-file.js';
import { type ModelConfig, readConfig } from './config.js';
import { int8Weights } from './copy.js';

/** A folder that holds a model: config.json, weights and a vocabulary (lib/model/vocabulary.ts reads that). docs/model-folder.md has the details. */
export interface ModelFolder {
	/** Absolute. */
	readonly folder: string;
	readonly config: ModelConfig;
	/** Absolute path of the weights, or of the index of their shards. */
	readonly weights: string;
}

/** Where weights are looked for, the first that is there counts. A training state (optimizer.pt, training_args.bin, ...) is never opened. */
const weightFiles = ['model.safetensors', 'model.safetensors.index.json', 'pytorch_model.bin', 'pytorch_model.bin.index.json', int8Weights];

/** Opens `folder`. Throws ModelError MODEL_NOT_FOUND, CONFIG_MISSING, CONFIG_INVALID or WEIGHTS_MISSING. */
export async function openModelFolder(folder: string): Promise<ModelFolder> {
	const absolute = resolve(folder);
	if (!(await isFolder(absolute))) throw notFound(folder, [{ place: absolute, found: false, reason: 'no such folder' }]);
	const config = await readConfig(absolute);
	for (const name of weightFiles) {
		const weights = join(absolute, name);
		if (await isFile(weights)) return { folder: absolute, config, weights };
	}
	const others = (await readdir(absolute)).filter(
		(name) => /\.(safetensors|bin|h5|msgpack|onnx|ot|gguf)$/.test(name) && name !== 'training_args.bin',
	);
	const instead = others.length > 0 ? ` (there is ${others.join(', ')})` : '';
	throw new ModelError('WEIGHTS_MISSING', `Expected weights in ${absolute}, but it has none of ${weightFiles.join(', ')}${instead}`, {
		hint: others.length > 0 ? 'save the model again with Transformers: model.save_pretrained(folder)' : undefined,
	});
}

/**
 * The folder that a name or a path means: a folder; the repository's models/NAME; the npm package distiltune-NAME; `cache`/models/NAME;
 * the Hugging Face cache. Reads names of files only. Throws ModelError MODEL_NOT_FOUND with every place that was looked at.
 */
export async function resolveModel(nameOrFolder: string, cache = cacheFolder()): Promise<string> {
	if (await isFolder(nameOrFolder)) return resolve(nameOrFolder);
	const tried: Attempt[] = [{ place: resolve(nameOrFolder), found: false, reason: 'no such folder' }];
	if (!isName(nameOrFolder)) throw notFound(nameOrFolder, tried);
	for (const place of await candidates(nameOrFolder, cache)) {
		if (await isFile(join(place, 'config.json'))) return place;
		tried.push({ place, found: false, reason: 'no config.json there' });
	}
	throw notFound(nameOrFolder, tried, join(cache, 'models', nameOrFolder));
}

async function candidates(name: string, cache: string): Promise<string[]> {
	const places = [fileURLToPath(new URL(`../../models/${name}`, import.meta.url))];
	if (!name.includes('/')) places.push(installedPackage(name));
	places.push(join(cache, 'models', name));
	places.push(...(await hubSnapshot(name)));
	return places;
}

/** Folder of the package distiltune-NAME as the working folder sees it, or where it would be. */
function installedPackage(name: string): string {
	try {
		return dirname(createRequire(join(process.cwd(), 'index.js')).resolve(`distiltune-${name}/config.json`));
	} catch {
		return join(process.cwd(), 'node_modules', `distiltune-${name}`);
	}
}

/** The snapshot that refs/main of the Hugging Face cache names (huggingface_hub, file_download.py); only ever read. */
async function hubSnapshot(name: string): Promise<string[]> {
	const { HF_HOME, HF_HUB_CACHE, HUGGINGFACE_HUB_CACHE, XDG_CACHE_HOME } = process.env;
	const home = HF_HOME || join(XDG_CACHE_HOME || join(homedir(), '.cache'), 'huggingface');
	const repository = join(HF_HUB_CACHE || HUGGINGFACE_HUB_CACHE || join(home, 'hub'), `models--${name.replace('/', '--')}`);
	const commit = await readFile(join(repository, 'refs', 'main'), 'utf8').catch(() => '');
	return /^[0-9a-f]{40}$/.test(commit) ? [join(repository, 'snapshots', commit)] : [];
}

/** NAME or OWNER/NAME as the hub spells them; nothing that could leave the folder it is looked for in. */
function isName(text: string): boolean {
	return !isAbsolute(text) && /^[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/.test(text) && !text.includes('..');
}

function notFound(name: string, tried: readonly Attempt[], wanted?: string): ModelError {
	const place = wanted === undefined ? '' : `; to use it, put its folder (config.json, model.safetensors, vocab.txt) at ${wanted}`;
	return new ModelError('MODEL_NOT_FOUND', `Expected \`${name}\` to be a model folder or the name of one, but none was found${place}`, {
		hint: '--model minilm-l6',
		details: { tried },
	});
}
