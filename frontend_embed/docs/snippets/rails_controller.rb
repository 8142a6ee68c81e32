# config/routes.rb: post "billing/credits-token", to: "credits_tokens#create", as: :credits_token
class CreditsTokensController < ApplicationController
  before_action :authenticate_user!
  skip_forgery_protection # it changes nothing, and no other origin can read the answer

  # What token-url asks for: a token for the customer whose page this is, and for nobody else.
  def create
    answer = Net::HTTP.post(
      URI("#{ENV.fetch("SCRIP_URL")}/v1/embed-token"),
      # Good on this site alone; payments lead back to it.
      { customer: current_user.account_key, ttlSeconds: 600, origins: [request.base_url] }.to_json,
      "authorization" => "Bearer #{ENV.fetch("SCRIP_SECRET_KEY")}",
      "content-type" => "application/json"
    )
    render json: answer.body, status: answer.code.to_i
  end
end
