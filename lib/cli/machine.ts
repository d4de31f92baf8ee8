/** distiltune setup, doctor and build: what makes a machine ready to train. */
import { ConfigError } from '../errors.js';
import { buildEngine } from '../runtime/build.js';
import { diagnose, formatDoctor } from '../runtime/doctor.js';
import { resolveLibtorch } from '../runtime/libtorch.js';
import { cleanCache, fetchInstructions, runSetup } from '../runtime/setup.js';
import type { Output } from './output.js';

export interface SetupFlags {
	readonly from?: string;
	readonly sha256?: string;
	readonly allowUnpinned?: boolean;
	readonly printUrls?: boolean;
}

/** Puts libtorch into the cache; the word `clean` removes it, the engines built for it, packed weights and the tokens of data sets. */
export async function setupVerb(action: string | undefined, { from, sha256, allowUnpinned, printUrls }: SetupFlags, output: Output): Promise<void> {
	if (action === 'clean') {
		await cleanCache();
		output.result({ cleaned: true }, 'Removed libtorch, the engines built for it, packed weights and the tokens of data sets from the cache');
		return;
	}
	if (action !== undefined) throw new ConfigError('OPTIONS_INVALID', `Expected \`clean\` or nothing after setup, got ${JSON.stringify(action)}`);
	if (printUrls) {
		const wanted = fetchInstructions();
		output.result(wanted, `${wanted.fetch}\n${wanted.sha256}  ${wanted.file}\n${wanted.install}`);
		return;
	}
	const { version, lib, key, source } = await runSetup({ from, sha256, allowUnpinned }, (line) => output.say(line));
	output.result({ version, lib, key, source }, `libtorch ${version} (${key}) in ${lib}`);
}

/** Says what this machine has and lacks; exit code 2 where something is wrong. */
export async function doctorVerb({ libtorch }: { readonly libtorch?: string }, output: Output): Promise<void> {
	const diagnosis = await diagnose({ libtorch });
	output.result(diagnosis, formatDoctor(diagnosis));
	if (diagnosis.problems.length > 0) process.exitCode = 2;
}

/** Builds the engine for the libtorch that is named or found, into the per-user cache. */
export async function buildVerb({ libtorch: place }: { readonly libtorch?: string }, output: Output): Promise<void> {
	const libtorch = resolveLibtorch({ libtorch: place });
	const file = await buildEngine(libtorch, { onOutput: (text) => !output.quiet && process.stderr.write(text) });
	output.result({ key: libtorch.key, file }, `Built ${file}`);
}
