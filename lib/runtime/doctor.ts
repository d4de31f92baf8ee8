/** What this machine has of what training needs, and what mends the rest. */
import { execFile } from 'node:child_process';
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type Attempt, RuntimeUnavailableError } from '../errors.js';
import { packageRoot, packageVersion } from './build.js';
import { cacheFolder, freeBytes } from './cache.js';
import { changedLibraries, installFolder, readRecord } from './installed.js';
import { type Libtorch, type ResolveOptions, search } from './libtorch.js';
import { listEngines } from './load.js';
import type { Trial } from './trial.js';

export interface Problem {
	/** One sentence. */
	readonly what: string;
	/** The command that mends it, where one does. */
	readonly fix: string | undefined;
}

export interface Diagnosis {
	readonly version: string;
	readonly node: { readonly version: string; readonly platform: string; readonly arch: string };
	/** undefined where base did not load. */
	readonly cpu: Trial['cpu'];
	readonly cache: { readonly folder: string; readonly writable: boolean; readonly freeBytes: number | undefined };
	/** Every place looked at, in order, and the one taken. */
	readonly libtorch: { readonly tried: readonly Attempt[]; readonly chosen: Libtorch | undefined };
	/** Engines that are built, whatever libtorch they are for. */
	readonly engines: readonly { readonly key: string; readonly file: string }[];
	readonly addons: { readonly base: boolean; readonly engine: boolean };
	/** OpenMP runtimes in a process that has loaded everything; two of them fight over threads. Linux only. */
	readonly openmp: readonly string[];
	readonly problems: readonly Problem[];
}

/** The folder that is there, on the way up from `folder`. */
function standing(folder: string): string {
	return existsSync(folder) || dirname(folder) === folder ? folder : standing(dirname(folder));
}

function examineCache(env: NodeJS.ProcessEnv): Diagnosis['cache'] {
	const folder = cacheFolder(env);
	const there = standing(folder);
	try {
		accessSync(there, constants.W_OK);
		return { folder, writable: statSync(there).isDirectory(), freeBytes: freeBytes(there) };
	} catch {
		return { folder, writable: false, freeBytes: undefined };
	}
}

/** What `search` finds; where it refuses a name, the refusal. */
function examineLibtorch(options: ResolveOptions): { tried: readonly Attempt[]; chosen: Libtorch | undefined; refusal?: RuntimeUnavailableError } {
	try {
		const { tried, libtorch } = search(options);
		return { tried, chosen: libtorch };
	} catch (error) {
		if (!(error instanceof RuntimeUnavailableError)) throw error;
		return { tried: error.tried, chosen: undefined, refusal: error };
	}
}

function trial(libtorch: Libtorch | undefined, env: NodeJS.ProcessEnv): Promise<Trial> {
	const program = join(packageRoot, 'dist', 'runtime', 'trial.js');
	const args = libtorch ? [program, libtorch.lib] : [program];
	return new Promise((resolve) => {
		execFile(process.execPath, args, { env, timeout: 60_000 }, (error, stdout) => {
			const lines = stdout.split('\n').filter((line) => line.startsWith('{'));
			const learnt: Trial = Object.assign({}, ...lines.map((line) => JSON.parse(line) as Trial));
			if (!error || learnt.error) return resolve(learnt);
			const end = error.signal ?? `exit code ${error.code}`;
			const loading = learnt.cpu ? 'libtorch and the engine' : 'the base addon';
			resolve({ ...learnt, error: { message: `Expected ${loading} to load, but the process that tried ended with ${end}`, fix: undefined } });
		});
	});
}

async function examineBytes(env: NodeJS.ProcessEnv): Promise<Problem[]> {
	const folder = installFolder(env);
	const record = readRecord(folder);
	const changed = record ? await changedLibraries(folder, record) : [];
	return changed.map((path) => ({ what: `${path} is not what setup wrote`, fix: 'npx distiltune setup clean && npx distiltune setup' }));
}

/** Looks at everything, changes nothing, and throws on no machine; half a gigabyte of libtorch is read to check it. */
export async function diagnose(options: ResolveOptions = {}): Promise<Diagnosis> {
	const env = options.env ?? process.env;
	const { tried, chosen, refusal } = examineLibtorch(options);
	const cache = examineCache(env);
	const [learnt, problems] = await Promise.all([trial(chosen, env), examineBytes(env)]);
	if (!cache.writable) problems.push({ what: `${cache.folder} cannot be written`, fix: 'export DISTILTUNE_CACHE_DIR=FOLDER' });
	if (refusal) problems.push({ what: refusal.message, fix: refusal.hint });
	else if (!chosen) problems.push({ what: 'No libtorch was found, and training needs one', fix: 'npx distiltune setup' });
	if (learnt.error) problems.push({ what: learnt.error.message, fix: learnt.error.fix });
	return {
		version: packageVersion(),
		node: { version: process.versions.node, platform: process.platform, arch: process.arch },
		cpu: learnt.cpu,
		cache,
		libtorch: { tried, chosen },
		engines: listEngines(env),
		addons: { base: learnt.cpu !== undefined, engine: learnt.torchVersion !== undefined },
		openmp: learnt.openmp ?? [],
		problems,
	};
}

/** The diagnosis for people; it ends in the commands that mend what is wrong. */
export function formatDoctor({ version, node, cpu, cache, libtorch, engines, addons, openmp, problems }: Diagnosis): string {
	const list = (items: readonly string[]) => (items.length > 0 ? items.map((item) => `\n  ${item}`).join('') : ' none');
	const free = cache.writable && cache.freeBytes !== undefined ? `${(cache.freeBytes / 1e9).toFixed(1)} GB free` : 'not writable';
	const loads = (name: string, loaded: boolean) => `${name} ${loaded ? 'loads' : 'does not load'}`;
	const lines = [
		`distiltune ${version}, Node ${node.version}, ${node.platform} ${node.arch}`,
		`CPU: ${cpu ? `${cpu.cores} cores, ${cpu.isa}` : 'unknown'}`,
		`Cache: ${cache.folder} (${free})`,
		`libtorch:${list(libtorch.tried.map(({ place, reason }) => `${place}: ${reason}`))}`,
		`Engines:${list(engines.map(({ key, file }) => `${key}: ${file}`))}`,
		`Addons: ${loads('base', addons.base)}, ${loads('engine', addons.engine)}`,
		`OpenMP:${list(openmp)}`,
		problems.length === 0 ? 'Ready to train.' : 'What is wrong, and what mends it:',
		...problems.map(({ what, fix }) => `  ${what}${fix === undefined ? '' : `\n    ${fix}`}`),
	];
	return lines.join('\n');
}
