import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { RuntimeUnavailableError } from '../errors.js';
import { cachedEngineFolder, packageRoot } from './build.js';
import { bytesCutOff } from './elf.js';
import { type Libtorch, libraryFile, type ResolveOptions, resolveLibtorch } from './libtorch.js';
import type { BaseAddon, EngineAddon } from './native.js';

const require = createRequire(import.meta.url);
let base: BaseAddon | undefined;
let engine: { readonly addon: EngineAddon; readonly lib: string } | undefined;

/** The base addon, loaded on the first call: tokenizer, predictor, loader. Needs no libtorch. Throws BASE_MISSING. */
export function loadBase(): BaseAddon {
	if (base) return base;
	try {
		base = require('node-gyp-build')(packageRoot) as BaseAddon;
		return base;
	} catch (cause) {
		throw new RuntimeUnavailableError(
			'BASE_MISSING',
			`Expected the base addon under ${packageRoot}, but it did not load: ${(cause as Error).message.split('\n')[0]}`,
			{
				cause,
				fix: ['npm run build'],
			},
		);
	}
}

/** What a folder with build/Release or prebuilds/ holds for this platform. */
function addonIn(folder: string): string | undefined {
	if (!existsSync(folder)) return undefined;
	try {
		return (require('node-gyp-build') as { path(folder: string): string }).path(folder);
	} catch {
		return undefined;
	}
}

/**
 * Folders of engines by key: the clone's build, the user's own, then the prebuilt ones. The clone comes first, because what its sources
 * were just built to must not lose to an older build of the same version; an installed package has no build folder.
 */
function engineRoots(env: NodeJS.ProcessEnv): string[] {
	return [join(packageRoot, 'build'), dirname(cachedEngineFolder('any', env)), join(packageRoot, 'prebuilds')];
}

/** File of the engine that fits `key`; undefined where none is there. */
export function engineFile(key: string, env: NodeJS.ProcessEnv = process.env): string | undefined {
	for (const root of engineRoots(env)) {
		const file = addonIn(join(root, key));
		if (file) return file;
	}
	return undefined;
}

/** Every engine that is there, in the order in which they are taken. */
export function listEngines(env: NodeJS.ProcessEnv = process.env): { readonly key: string; readonly file: string }[] {
	return engineRoots(env).flatMap((root) => {
		const keys = existsSync(root) ? readdirSync(root).filter((name) => name.startsWith('torch')) : [];
		return keys.flatMap((key) => {
			const file = addonIn(join(root, key));
			return file ? [{ key, file }] : [];
		});
	});
}

/** Libraries of `libtorch` in the order they are opened: what the wheel bundles, then c10, then torch_cpu. */
export function openingOrder(libtorch: Libtorch): string[] {
	const bundled = readdirSync(libtorch.lib)
		.filter((name) => /^lib(gomp|cudart)[-.]/.test(name))
		.sort()
		.reverse();
	const named = ['c10', 'torch_cpu'].map((name) => libraryFile(libtorch.lib, name)).filter((path) => path !== undefined);
	return [...bundled.map((name) => join(libtorch.lib, name)), ...named];
}

function openLibtorch(addon: BaseAddon, libtorch: Libtorch): void {
	const other = addon.mappedLibraries().find((path) => /\/libc10\.so/.test(path) && dirname(path) !== libtorch.lib);
	if (other)
		throw new RuntimeUnavailableError(
			'OTHER_LIBTORCH_LOADED',
			`Expected to load libtorch from ${libtorch.lib}, but this process already has ${other}`,
			{
				hint: `Name that one: DISTILTUNE_LIBTORCH=${dirname(other)}`,
			},
		);
	for (const path of openingOrder(libtorch)) {
		const cut = bytesCutOff(path);
		if (cut)
			throw new RuntimeUnavailableError(
				'LIBTORCH_DAMAGED',
				`Expected ${path} to have at least ${cut.expected} bytes, got ${cut.bytes}: it is cut short`,
				{
					fix: ['npx distiltune setup'],
				},
			);
		try {
			addon.openLibrary(path, { global: false });
		} catch (cause) {
			const { message } = cause as Error;
			const lacking = /(\S+): cannot open shared object/.exec(message)?.[1];
			throw new RuntimeUnavailableError('DEPENDENCY_MISSING', `Expected ${path} to open: ${message}`, {
				cause,
				hint: `${lacking ? `Install what holds ${lacking}, or take` : 'Take'} a libtorch that needs nothing beside it: npx distiltune setup`,
			});
		}
	}
}

/**
 * The engine and, under it, libtorch, loaded on the first call. A process holds one libtorch: later calls give the same engine.
 * Throws the resolver's errors, ENGINE_MISSING, OTHER_LIBTORCH_LOADED, LIBTORCH_DAMAGED, DEPENDENCY_MISSING, LIBTORCH_UNSUPPORTED.
 */
export function loadEngine(options: ResolveOptions = {}): EngineAddon {
	if (engine && options.libtorch === undefined) return engine.addon;
	const libtorch = resolveLibtorch(options);
	if (engine?.lib === libtorch.lib) return engine.addon;
	const file = engineFile(libtorch.key);
	if (!file)
		throw new RuntimeUnavailableError('ENGINE_MISSING', `Expected an engine for ${libtorch.key} (libtorch in ${libtorch.lib}), found none`, {
			fix: ['npx distiltune build'],
		});
	openLibtorch(loadBase(), libtorch);
	const addon = require(file) as EngineAddon;
	const minor = (version: string) => version.split('.').slice(0, 2).join('.');
	if (minor(addon.torchVersion) !== minor(libtorch.version))
		throw new RuntimeUnavailableError(
			'LIBTORCH_UNSUPPORTED',
			`Expected libtorch ${addon.torchVersion} for ${file}, found ${libtorch.version} in ${libtorch.lib}`,
			{
				fix: ['npx distiltune build'],
			},
		);
	engine = { addon, lib: libtorch.lib };
	return addon;
}
