import { defineConfig } from 'vitest/config';

export default defineConfig({
	// Processes, not threads: one native crash must not take the other files down.
	test: {
		include: ['test/*.test.ts'],
		globalSetup: 'test/own-tokens.ts',
		pool: 'forks',
		testTimeout: 60_000,
		hookTimeout: 120_000,
	},
});
